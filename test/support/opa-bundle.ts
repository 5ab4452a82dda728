import { createHash, createHmac, createSign, type KeyObject } from "node:crypto";
import { gzipSync } from "node:zlib";

/** Files by their path in the bundle. */
export type BundleFiles = Readonly<Record<string, string | Uint8Array>>;

/** A bundle as `opa build` writes it: a gzipped tar. */
export function bundleOf(files: BundleFiles): Uint8Array {
  const blocks = Object.entries(files).flatMap(([name, content]) => tarEntry(name, Buffer.from(content)));
  return new Uint8Array(gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)])));
}

/** The same with `.signatures.json`, as `opa sign` makes it. JSON files must be compact with sorted keys. */
export function signedBundleOf(files: BundleFiles, key: KeyObject, scope?: string): Uint8Array {
  const described = Object.entries(files).map(([name, content]) => ({
    name,
    hash: createHash("sha256").update(content).digest("hex"),
    algorithm: "SHA-256",
  }));
  const algorithm = key.type === "secret" ? "HS256" : "RS256";
  const signed = `${encoded({ alg: algorithm })}.${encoded({ files: described, scope })}`;
  const signature =
    key.type === "secret"
      ? createHmac("sha256", key).update(signed).digest()
      : createSign("sha256").update(signed).sign(key);
  const signatures = [`${signed}.${signature.toString("base64url")}`];
  return bundleOf({ ...files, ".signatures.json": JSON.stringify({ signatures }) });
}

function encoded(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

/** Format ustar: header and content, each padded to 512 bytes. */
function tarEntry(name: string, content: Buffer): readonly Buffer[] {
  const header = Buffer.alloc(512);
  header.write(name, 0, 100);
  header.write("0000644\0", 100);
  header.write("0000000\0", 108);
  header.write("0000000\0", 116);
  header.write(`${content.length.toString(8).padStart(11, "0")}\0`, 124);
  header.write("00000000000\0", 136);
  header.write("        ", 148);
  header.write("0", 156);
  header.write("ustar\x0000", 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return [header, content, Buffer.alloc((512 - (content.length % 512)) % 512)];
}
