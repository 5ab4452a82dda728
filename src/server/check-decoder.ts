import { join } from "node:path";
import protobuf from "protobufjs";
import type { CheckRequest__Output } from "../proto/index.js";

/**
 * A decoder of CheckRequest that gives what proto-loader's gives, but the message itself and not a copy of it as a plain
 * object (measured: the copy is 4 to 5 % of a Check's CPU time). Absent fields are undefined, absent maps and lists
 * empty; 64-bit integers are Long objects or numbers. The decoder throws for bytes that are no CheckRequest.
 */
export function createCheckDecoder(
  protoRoot: string,
  files: string[],
): (bytes: Buffer) => CheckRequest__Output {
  const root = new protobuf.Root();
  // Well-known types are part of protobufjs.
  root.resolvePath = (_origin, target) =>
    target.startsWith("google/protobuf/") ? target : join(protoRoot, target);
  root.loadSync(files, { keepCase: true });
  root.resolveAll();
  forgetDefaults(root);
  const type = root.lookupType("envoy.service.auth.v3.CheckRequest");
  return (bytes) => type.decode(bytes) as unknown as CheckRequest__Output;
}

/** Messages have their fields' defaults on the prototype, where an absent field could not be told from a default one. */
function forgetDefaults(namespace: protobuf.NamespaceBase): void {
  for (const nested of namespace.nestedArray) {
    if (nested instanceof protobuf.Type) {
      const prototype = nested.ctor.prototype as unknown as Record<string, unknown>;
      for (const field of nested.fieldsArray) {
        if (!field.repeated && !field.map) prototype[field.name] = undefined;
      }
    }
    if (nested instanceof protobuf.Namespace) forgetDefaults(nested);
  }
}
