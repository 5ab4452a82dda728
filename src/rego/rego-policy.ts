import type { Attached } from "../documents/index.js";
import type { Modules, RegoVersion } from "./compiler.js";
import type { DataPiece, EvaluationLimits, Program } from "./program.js";

/** Where the modules of a policy come from. */
export type ModuleSource =
  | { readonly kind: "inline" }
  /** A folder of `.rego` and data files; modules and data are filled in from it. */
  | { readonly kind: "folder"; readonly path: string }
  | BundleSource;

/** An OPA bundle. */
export interface BundleSource {
  readonly kind: "bundle";
  /** The field that names it. */
  readonly field: "file" | "url";
  /** The gzipped tar as base64; empty while a download has not arrived. */
  readonly content: string;
  readonly maxBytes: number;
  readonly verification:
    | { readonly key: string; readonly algorithm: string | undefined; readonly scope: string | undefined }
    | undefined;
}

/** A RegoPolicy: plain data that survives a structured clone. */
export interface RegoPolicy extends Attached {
  readonly namespace: string;
  readonly name: string;
  /** Acts only where a CUSTOM policy names it. */
  readonly providerOnly: boolean;
  /** A refusal is only told, never acted on; errors still refuse, as in OPA-Envoy. */
  readonly dryRun: boolean;
  /** An evaluation that fails, or a policy that is not there yet, lets the request pass. */
  readonly failOpen: boolean;
  readonly limits: EvaluationLimits;
  /** `parsed_body` and `truncated_body` are part of the input. */
  readonly parseBody: boolean;
  /** FileDescriptorSet by which gRPC bodies are read. */
  readonly protoDescriptor: Uint8Array | undefined;
  readonly regoVersion: RegoVersion;
  /** The term that is evaluated, `data.envoy.authz.allow`. */
  readonly query: string;
  /** Which field says so. */
  readonly queryField: "entrypoint" | "query";
  readonly source: ModuleSource;
  /** Without tests. Names of a folder's modules begin with the folder as the document names it. */
  readonly modules: Modules;
  /** JSON of an object: the base documents. */
  readonly baseData: string;
  /** What runs; undefined until it was compiled, and while a bundle has not arrived. */
  readonly program: Program | undefined;
  /** `baseData`, cut for loading. */
  readonly data: readonly DataPiece[];
}
