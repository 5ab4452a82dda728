import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Jwt, parseJwt, splitParts } from "../../../src/authn/jwt.js";
import { base64url } from "../../support/jwt-kit.js";

type Members = Readonly<Record<string, unknown>>;

const part = (value: unknown): string => base64url(typeof value === "string" ? value : JSON.stringify(value));

/** A token that nobody has signed. */
function parse(payload: unknown = {}, header: unknown = { alg: "ES256" }): Jwt | string {
  return parseJwt(`${part(header)}.${part(payload)}.c2ln`);
}

/** What is wrong with a payload of this one member. */
const claim = (name: string, value: unknown): unknown => {
  const jwt = parse({ [name]: value });
  return typeof jwt === "string" ? jwt : "good";
};
const headerMember = (members: Members): unknown => {
  const jwt = parse({}, members);
  return typeof jwt === "string" ? jwt : "good";
};

describe("a token taken apart", () => {
  it("shows what stands in it", () => {
    const payload = {
      iss: "https://a",
      sub: "alice",
      aud: "shop",
      nbf: 1,
      exp: 2.9,
      iat: 3,
      jti: "x",
      own: [1],
    };
    const headerPart = part({ alg: "RS256", kid: "k", typ: "JWT" });
    expect(parseJwt(`${headerPart}.${part(payload)}.c2ln`)).toEqual({
      alg: "RS256",
      kid: "k",
      header: { alg: "RS256", kid: "k", typ: "JWT" },
      headerPart,
      payloadPart: part(payload),
      payload,
      signature: Buffer.from("sig"),
      iss: "https://a",
      aud: ["shop"],
      nbf: 1,
      exp: 2,
    });
  });

  it("need not say anything but its algorithm", () => {
    expect(parse()).toMatchObject({ kid: "", iss: "", aud: [], nbf: 0, exp: 0 });
    expect(parse("null")).toMatchObject({ payload: {} });
  });

  it("may have empty parts between its three", () => {
    expect(splitParts("a.b.c")).toEqual(["a", "b", "c"]);
    for (const token of [".a.b.c", "a..b.c", "a.b.c.", "..a.b...c..", `a.b.c${".".repeat(100)}`]) {
      expect(splitParts(token)).toEqual(["a", "b", "c"]);
    }
  });

  it("has three parts, not two, four or five", () => {
    const tokens = ["", ".", "...", "a", "a.b", "a.b.", "a.b.c.d", "a.b.c.d.e", `a.b.c${".".repeat(100)}d`];
    expect(tokens.map(splitParts)).toEqual(tokens.map(() => undefined));
    expect(parseJwt("a.b")).toBe("jwt_bad_format");
  });

  it("is looked at from the front: header, payload, signature", () => {
    const [header, payload] = [part({ alg: "ES256" }), part({})];
    expect(parseJwt(`*.*.*`)).toBe("jwt_header_bad_base64");
    expect(parseJwt(`${part("[]")}.*.*`)).toBe("jwt_header_bad_json");
    expect(parseJwt(`${part({ kid: 1 })}.*.*`)).toBe("jwt_header_bad_alg");
    expect(parseJwt(`${part({ alg: "none", kid: 1 })}.*.*`)).toBe("jwt_header_unsupported_alg");
    expect(parseJwt(`${part({ alg: "ES256", kid: 1 })}.*.*`)).toBe("jwt_header_bad_kid");
    expect(parseJwt(`${header}.*.*`)).toBe("jwt_payload_bad_base64");
    expect(parseJwt(`${header}.${part("{")}.*`)).toBe("jwt_payload_bad_json");
    expect(parseJwt(`${header}.${part({ iss: 1 })}.*`)).toBe("jwt_payload_bad_iss");
    expect(parseJwt(`${header}.${payload}.*`)).toBe("jwt_signature_bad_base64");
  });

  it.each([undefined, null, 1, true, ["ES256"], {}])("names its algorithm as a text, not as %j", (alg) => {
    expect(headerMember({ alg })).toBe("jwt_header_bad_alg");
  });

  it.each([
    "",
    "none",
    "None",
    "NONE",
    "es256",
    "ES256 ",
    "ES256\0",
    "ES256K",
    "RSA-OAEP",
    "Ed25519",
    "__proto__",
  ])("has no algorithm %j", (alg) => {
    expect(headerMember({ alg })).toBe("jwt_header_unsupported_alg");
  });

  it("names its key as a text", () => {
    const kids = [null, 1, true, [], {}];
    expect(kids.map((kid) => headerMember({ alg: "ES256", kid }))).toEqual(
      kids.map(() => "jwt_header_bad_kid"),
    );
    expect(headerMember({ alg: "ES256", kid: "" })).toBe("good");
  });

  it.each(["iss", "sub", "jti"])("has a text as its %s", (name) => {
    const values = [null, 1, true, [], {}, ["x"]];
    expect(values.map((value) => claim(name, value))).toEqual(values.map(() => `jwt_payload_bad_${name}`));
    expect(claim(name, "")).toBe("good");
  });

  it.each(["iat", "nbf", "exp"])("has a number of 64 bits as its %s", (name) => {
    const texts = [null, "1", true, [], {}];
    expect(texts.map((value) => claim(name, value))).toEqual(texts.map(() => `jwt_payload_bad_${name}`));
    const beyond = [-1, -0.5, 2 ** 64];
    expect(beyond.map((value) => claim(name, value))).toEqual(
      beyond.map(() => `jwt_payload_${name}_out_of_range`),
    );
    expect([0, 0.5, 1e19].map((value) => claim(name, value))).toEqual(["good", "good", "good"]);
  });

  it("has a text or a list of texts as its audience", () => {
    const values = [null, 7, true, {}, [1], ["a", 1], [["a"]], [null]];
    expect(values.map((value) => claim("aud", value))).toEqual(values.map(() => "jwt_payload_bad_aud"));
    expect(["", "a", [], ["a", ""]].map((value) => claim("aud", value))).toEqual(Array(4).fill("good"));
  });

  it("tells of the first wrong claim in Envoy's order", () => {
    const order = ["iss", "sub", "iat", "nbf", "exp", "jti", "aud"];
    for (const [i, name] of order.entries()) {
      const payload = Object.fromEntries(
        order
          .slice(i)
          .map((wrong) => [wrong, {}])
          .reverse(),
      );
      expect(parse(payload)).toBe(`jwt_payload_bad_${name}`);
    }
  });

  it("has no claims but its own", () => {
    const text = '{"__proto__":{"iss":"https://a","exp":1},"constructor":{"sub":"x"}}';
    expect(parse(text)).toMatchObject({ iss: "", exp: 0 });
    expect(headerMember(JSON.parse('{"__proto__":{"alg":"ES256"}}') as Members)).toBe("jwt_header_bad_alg");
  });

  it("is a token or a reason for any text", () => {
    const piece = fc.oneof(
      fc.string({ unit: "binary", maxLength: 12 }),
      fc.base64String({ maxLength: 40 }),
      fc.jsonValue({ maxDepth: 2 }).map(part),
      fc
        .dictionary(fc.constantFrom("alg", "kid", "iss", "exp", "aud"), fc.jsonValue({ maxDepth: 1 }))
        .map(part),
      fc.constant(part({ alg: "ES256" })),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 5 }), (pieces) => {
        const jwt = parseJwt(pieces.join("."));
        if (typeof jwt !== "string") expect(typeof jwt.alg).toBe("string");
      }),
      { numRuns: 300 },
    );
  });

  it("costs no more than its length, however many dots it has", () => {
    const started = performance.now();
    for (const token of [".".repeat(65_000), `${"a.".repeat(32_000)}a`]) parseJwt(token);
    expect(performance.now() - started).toBeLessThan(500);
  });
});
