import { BuiltinError } from "./builtin.js";
import {
  context,
  type Der,
  der,
  enter,
  enterIf,
  isEmpty,
  read,
  readBitString,
  readBoolean,
  readInteger,
  readOid,
  readSmallInteger,
  rightAligned,
  tags,
} from "./der.js";
import { integer } from "./number.js";
import type { Value } from "./value.js";
import { type Extension, readExtensionList } from "./x509-certificate.js";
import {
  base64,
  extensionJson,
  keyAlgorithmNumber,
  keyJson,
  list,
  nameJson,
  namesJson,
  signatureAlgorithmOf,
  struct,
} from "./x509-json.js";
import { readAlgorithm, readPublicKey } from "./x509-key.js";
import { readName } from "./x509-name.js";
import { readAlternativeNames } from "./x509-san.js";

/** What Go's JSON of an x509.CertificateRequest in DER shows; throws a BuiltinError for a malformed one. */
export function requestJson(bytes: Buffer): Value {
  const all = der(bytes);
  const { whole: raw, body } = read(all, tags.sequence);
  if (!isEmpty(all)) throw new BuiltinError("trailing data behind a certificate request");
  const outer = der(body);
  const { whole: rawTbs, body: tbsBody } = read(outer, tags.sequence);
  const tbs = der(tbsBody);
  const version = readSmallInteger(tbs, tags.integer, 53);
  const rawSubject = read(tbs, tags.sequence).whole;
  const rawKey = read(tbs, tags.sequence).whole;
  const key = readPublicKey(rawKey);
  const attributes = elementsOf(enterIf(tbs, context(0, true)) ?? der(Buffer.alloc(0)));
  const algorithm = readAlgorithm(read(outer, tags.sequence).body);
  const signature = rightAligned(readBitString(outer));
  const extensions = attributes.flatMap(requestedExtensions);
  const named = extensions.find(({ id }) => id.join(".") === "2.5.29.17");
  return struct({
    Raw: base64(raw),
    RawTBSCertificateRequest: base64(rawTbs),
    RawSubjectPublicKeyInfo: base64(rawKey),
    RawSubject: base64(rawSubject),
    Version: version,
    Signature: base64(signature),
    SignatureAlgorithm: signatureAlgorithmOf(algorithm)?.number ?? 0,
    PublicKeyAlgorithm: keyAlgorithmNumber(key),
    PublicKey: key.type === "X25519" ? null : keyJson(key),
    Subject: nameJson(readName(der(rawSubject), true)),
    Attributes: list(
      attributes.map(attributeJson).filter((one) => one !== undefined),
      (one) => one,
    ),
    Extensions: list(extensions, extensionJson),
    ExtraExtensions: null,
    ...namesJson(named === undefined ? undefined : readAlternativeNames(der(named.value))),
  });
}

function elementsOf(input: Der): readonly Buffer[] {
  const elements: Buffer[] = [];
  while (!isEmpty(input)) elements.push(read(input).whole);
  return elements;
}

/** undefined where a reader throws a BuiltinError. */
function optional<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof BuiltinError) return undefined;
    throw error;
  }
}

/** The extensions that an attribute asks for; none when it is another attribute. */
function requestedExtensions(attribute: Buffer): readonly Extension[] {
  const found = optional(() => {
    const input = enter(der(attribute), tags.sequence);
    return { type: readOid(input).join("."), values: enter(input, tags.set) };
  });
  if (found?.type !== "1.2.840.113549.1.9.14" || isEmpty(found.values)) return [];
  return readExtensionList(enter(found.values, tags.sequence));
}

/** An attribute whose values are lists of typed values, which extensions are; undefined for others. */
function attributeJson(attribute: Buffer): Value | undefined {
  return optional(() => {
    const input = enter(der(attribute), tags.sequence);
    const type = [...readOid(input)];
    const values = elementsOf(enter(input, tags.set)).map((value) =>
      elementsOf(enter(der(value), tags.sequence)).map(typedValueJson),
    );
    return struct({ Type: type, Value: values });
  });
}

function typedValueJson(element: Buffer): Value {
  const input = enter(der(element), tags.sequence);
  return struct({ Type: [...readOid(input)], Value: anyJson(input) });
}

/** What Go reads into an interface: simple types only. */
function anyJson(input: Der): Value {
  const start = input.at;
  const { tag, body } = read(input);
  input.at = start;
  switch (tag) {
    case tags.boolean:
      return readBoolean(input);
    case tags.integer:
      return integer(readInteger(input));
    case tags.octetString:
      return base64(body);
    case tags.oid:
      return [...readOid(input)];
    case tags.utf8String:
    case tags.printableString:
    case tags.ia5String:
    case tags.numericString:
      return body.toString("utf8");
    default:
      return null;
  }
}
