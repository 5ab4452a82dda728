import { countKeys, type KeyLocator, maxKeys, parseKeySet } from "../authn/index.js";
import { codes, type Finding, finding, type Path, show } from "../diagnostics/index.js";
import { type Fields, nameOf, parseHttpUrl, type Reference, readText } from "../documents/index.js";
import { readDurationMs } from "./go-duration.js";

/** Where the keys of a rule are; with a `file` the locator is empty until its text is there. */
export interface ReadKeys {
  readonly keys: KeyLocator;
  readonly file: Reference | undefined;
}

/** The fields of a rule that say where its keys are. `jwks_uri` is in Istio's CRD beside `jwksUri`. */
export const keyFields = ["jwks", "jwksUri", "jwks_uri", "jwksFile"] as const;

const defaultTimeoutMs = 5000;
const maxUriLength = 2048;

/** Without keys: what verifies nothing. */
const noKeys: KeyLocator = { kind: "inline", jwks: '{"keys":[]}' };

/** Reads the fields about keys of a rule of `issuer`, which is empty when the rule names none. */
export function readKeys(rule: Fields, issuer: string, at: Path, out: Finding[]): ReadKeys {
  const [first, second] = keyFields.filter((name) => rule[name] !== undefined);
  if (second !== undefined) {
    const message = `\`${second}\` stands beside \`${first}\`, expected only one of jwks, jwksUri and jwksFile`;
    out.push(finding(codes.conflictingFields, [...at, second], message));
  }
  const jwks = readText(rule, "jwks", at, out);
  const uri = readUri(rule, "jwksUri", at, out) ?? readUri(rule, "jwks_uri", at, out);
  const file = readFile(rule, at, out);
  const timeoutMs = readDurationMs(rule, "timeout", at, out) ?? defaultTimeoutMs;
  // Also beside `jwks`: Istio asks for the issuer there.
  if (rule["issuer"] === undefined && uri === undefined) {
    const message = "`issuer` is missing, expected it unless `jwksUri` says where its keys are";
    out.push(finding(codes.missingField, [...at, "issuer"], message));
  }
  if (file !== undefined) return { keys: noKeys, file };
  if (jwks) {
    checkJwks(jwks, [...at, "jwks"], out);
    return { keys: { kind: "inline", jwks }, file };
  }
  if (uri === undefined && issuer !== "" && first !== "jwksFile" && parseHttpUrl(issuer) === undefined) {
    const message = `issuer ${show(issuer)} is no http(s) URL at which keys could be found, so that every token of it is refused; expected \`jwksUri\` or \`jwks\``;
    out.push(finding(codes.everyTokenRefused, [...at, "issuer"], message));
  }
  return { keys: { kind: "remote", issuer, jwksUri: uri, timeoutMs }, file };
}

/**
 * Says what is wrong with the text of a JWKS that stands, or is named, at `at`. Messages hold no key
 * material.
 */
export function checkJwks(text: string, at: Path, out: Finding[]): void {
  const name = nameOf(at);
  const count = countKeys(text);
  if (count > maxKeys) {
    out.push(finding(codes.tooMany, at, `${name} holds ${count} keys, expected at most ${maxKeys}`));
    return;
  }
  const { keySet, problems, symmetric } = parseKeySet(text, { allowSymmetric: true });
  for (const { index, message } of problems) {
    if (index === undefined) out.push(finding(codes.invalidValue, at, `${name} ${message}`));
    else out.push(finding(codes.keyProblem, at, `key ${index} of ${name} ${message}`));
  }
  if (symmetric) {
    const message = `${name} holds a symmetric key, with which whoever can read it can sign tokens; expected public keys`;
    out.push(finding(codes.symmetricKey, at, message));
  }
  if (keySet?.keys.length === 0) {
    const message = `${name} holds no key that can be used, so that every token of the issuer is refused`;
    out.push(finding(codes.everyTokenRefused, at, message));
  }
}

function readFile(rule: Fields, at: Path, out: Finding[]): Reference | undefined {
  const path: Path = [...at, "jwksFile"];
  const name = readText(rule, "jwksFile", at, out);
  if (name === "") {
    const message = "`jwksFile` is empty, expected the name of a file with a JWK Set";
    out.push(finding(codes.emptyValue, path, message));
  }
  return name ? { kind: "file", name, path } : undefined;
}

function readUri(rule: Fields, key: "jwksUri" | "jwks_uri", at: Path, out: Finding[]): string | undefined {
  const text = readText(rule, key, at, out);
  if (text === undefined) return undefined;
  const path: Path = [...at, key];
  if (text === "") out.push(finding(codes.emptyValue, path, `\`${key}\` is empty, expected an http(s) URL`));
  else if ([...text].length > maxUriLength) {
    out.push(finding(codes.tooMany, path, `\`${key}\` is longer than ${maxUriLength} characters`));
  } else if (parseHttpUrl(text) === undefined) {
    out.push(finding(codes.invalidValue, path, `\`${key}\` is ${show(text)}, expected an http(s) URL`));
  }
  return text;
}
