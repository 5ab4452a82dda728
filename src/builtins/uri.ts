import { stringAt } from "./arguments.js";
import { BuiltinError, type Builtins } from "./builtin.js";
import { parseGoUrl, splitHost } from "./go-url.js";
import { objectOf, type Value } from "./value.js";

/** URIs (v1/topdown/uri.go). */
export const uri: Builtins = {
  "uri.parse": (args) => {
    const { scheme, host, path, rawPath, rawQuery, fragment } = parseGoUrl(stringAt(args, 0));
    const [hostname, port] = splitHost(host);
    const raw = rawPath === "" ? path : rawPath;
    const parts = { scheme, hostname, port, path, raw_path: raw, raw_query: rawQuery, fragment };
    return objectOf(Object.entries(parts).filter(([, part]) => part !== "") as [Value, Value][]);
  },
  "uri.is_valid": ([text]) => typeof text === "string" && text !== "" && isUri(text),
};

function isUri(text: string): boolean {
  try {
    parseGoUrl(text);
    return true;
  } catch (error) {
    if (error instanceof BuiltinError) return false;
    throw error;
  }
}
