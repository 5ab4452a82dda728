/** Where we answer otherwise than Envoy's jwt_authn filter, on purpose. */
export interface KnownDifference {
  readonly reason: string;
  /** By the case's id: what Envoy answers and what we do, as {@link brief} tells it. */
  readonly cases: Readonly<Record<string, readonly [native: string, ours: string]>>;
}

const verificationFails: readonly [string, string] = ["200 /", "401 Jwt verification fails"];
const badHeaderValue: readonly [string, string] = ["503 invalid header value for: x-name", "500 "];

function all(
  ids: readonly string[],
  verdicts: readonly [string, string],
): Readonly<Record<string, readonly [string, string]>> {
  return Object.fromEntries(ids.map((id) => [id, verdicts]));
}

/** All of them: a case that is in none of these must be answered alike. */
export const knownDifferences: readonly KnownDifference[] = [
  {
    reason:
      "the header of a token must be JSON by RFC 8259, since jose reads it; Envoy's parser takes single quotes, names without quotes, a comma at the end and control characters",
    cases: all(
      [
        "header member: comma at the end",
        "header: single quotes",
        "header: names without quotes",
        "header: raw control character",
        "header: raw newline in a text",
      ],
      verificationFails,
    ),
  },
  {
    reason: "a `crit` that breaks RFC 7515 section 4.1.11 is refused by jose; Envoy never looks at it",
    cases: all(
      [
        "plain: crit is a name that is absent",
        "plain: crit is an empty list",
        "plain: crit is a text",
        "plain: crit is null",
        "plain: crit is a list of numbers",
        "plain: crit is an object",
      ],
      verificationFails,
    ),
  },
  {
    reason:
      "the key says which algorithms it has; Envoy takes any label for EC, Ed25519 and symmetric keys, and hashes by the label",
    cases: all(
      [
        "ec-bare: RS256 label on an ES256 signature",
        "ec-bare: ES256 by a P-384 key",
        "ec-bare: ES512 by a P-256 key",
        "ec-bare: ES384 by a P-256 key",
        "ec-bare: PS256 label on an ES256 signature",
        "ec-bare: HS256 label on an ES256 signature",
        "ec-bare: EdDSA label on an ES256 signature",
        "keys: RS256 label on ES256, kid of the EC key",
        "keys: HS256 label on ES256, kid of the EC key",
        "keys: RS256 label on EdDSA",
        "keys: RS256 label on HS256",
      ],
      verificationFails,
    ),
  },
  {
    reason: "RSA keys under 2048 bits are not used (RFC 7518 section 3.3)",
    cases: {
      "weak: RSA of 1024 bits": ["200 /", "401 Jwks doesn't have key to match kid or alg from Jwt"],
    },
  },
  {
    reason:
      "an ECDSA signature is exactly as long as RFC 7518 section 3.4 says; Envoy takes longer halves and bytes behind, so that one signature has many spellings",
    cases: all(
      ["form: ES256 signature with a byte behind", "form: ES256 signature with longer halves"],
      verificationFails,
    ),
  },
  {
    reason:
      "taking a token out of the query leaves the other parameters as they are spelled; Envoy decodes them for good, which changes their meaning or breaks the request",
    cases: {
      // A raw space in the request line: the upstream refuses it.
      "plain: in the query among others": ["400 0\r\n\r\n", "200 /p?a=1&b=%20z&b=2&flag="],
      "plain: in the query, first of several": ["200 /p?=x&=&b=/&c=+&d=", "200 /p?=x&=&b=%2F&c=+&d="],
      "plain: in the query, dots encoded": ["200 /?x=A", "200 /?x=%41"],
      "plain: in the query, encoded & elsewhere": ["200 /?a=x&y=z", "200 /?a=x%26y%3Dz"],
      "plain: in the query, high bytes elsewhere": [
        "503 invalid header value for: :path",
        "200 /?%C3%A9=%00&a=%C3%A9%FF",
      ],
      ...all(["everywhere: all of them", "everywhere-no-bob: all of them"], ["200 /?q=A", "200 /?q=%41"]),
    },
  },
  {
    reason:
      "a claim that cannot be a header's value refuses the request before it goes on; Envoy sets it and its codec then breaks the request off",
    cases: all(
      [
        'payload member: name "a\\u0000b"',
        'payload member: name "a\\u007fb"',
        'payload member: name "a\\r\\nx-evil: 1"',
        'payload member: name "a\\u0001b"',
        "payload: raw control character",
        "payload: raw newline",
        "payload: raw delete",
        "outputs: CR and LF",
        "outputs: only LF",
        "outputs: NUL",
      ],
      badHeaderValue,
    ),
  },
];
