import type { ByteString } from "../attributes/index.js";
import type { CredentialGroup } from "./credential-group.js";
import { splitParts } from "./jwt.js";
import type { JwtCheck } from "./jwt-check.js";
import { type FoundToken, sortPlaces, type TokenPlaces, tokenIn } from "./token-places.js";

/** Who judges a credential: the JWT rules together, or a group of other resources. */
export type Owner = "jwt" | CredentialGroup;

/** One that reads a header, a parameter or a cookie. */
interface Reader {
  readonly owner: Owner;
  /** What it reads in a line; undefined when nothing. */
  readonly read: (line: ByteString) => ByteString | undefined;
  readonly recognises: (token: ByteString) => boolean;
}

/**
 * Says whose a credential is, by the line that it stands in, so that all who read the line agree. Mostly one kind of
 * resource does; where several do, a JWT is for the JWT rules, and anything else for the first group that recognises
 * what it reads there. Nobody else looks at it then.
 */
export function createOwners(
  jwtChecks: readonly JwtCheck[],
  groups: readonly CredentialGroup[],
): (token: FoundToken) => Owner {
  const readers = new Map<string, Reader[]>();
  const add = (places: TokenPlaces, reader: Omit<Reader, "read">): void => {
    for (const { key, read } of linesOf(places)) {
      readers.set(key, [...(readers.get(key) ?? []), { ...reader, read }]);
    }
  };
  const isJwt = (token: ByteString): boolean => splitParts(token) !== undefined;
  // Many rules read the same places, and each place is to be looked at once.
  const places = sortPlaces({
    headers: jwtChecks.flatMap(({ rule }) => rule.places.headers),
    params: jwtChecks.flatMap(({ rule }) => rule.places.params),
    cookies: jwtChecks.flatMap(({ rule }) => rule.places.cookies),
  });
  add(places, { owner: "jwt", recognises: isJwt });
  for (const owner of groups) {
    for (const { places, recognises = () => true } of owner.checks) add(places, { owner, recognises });
  }

  return ({ kind, name, line }) => {
    let first: Owner | undefined;
    for (const { owner, read, recognises } of readers.get(`${kind} ${name}`) ?? []) {
      const token = read(line);
      if (token === undefined) continue;
      if (recognises(token)) return owner;
      first ??= owner;
    }
    return first ?? "jwt";
  };
}

function linesOf({ headers, params, cookies }: TokenPlaces): { key: string; read: Reader["read"] }[] {
  const whole = (line: ByteString): ByteString => line;
  return [
    ...headers.map((place) => ({
      key: `header ${place.name}`,
      read: (line: ByteString) => tokenIn(line, place),
    })),
    ...params.map((name) => ({ key: `param ${name}`, read: whole })),
    ...cookies.map((name) => ({ key: `cookie ${name}`, read: whole })),
  ];
}
