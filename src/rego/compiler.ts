/** Port: OPA itself, compiled in. Every call may take seconds, has its own deadline, and never delays a request. */
export interface RegoCompiler {
  /** Compiles modules to one wasm module with one entrypoint. */
  readonly build: (request: BuildRequest) => Promise<BuildResult>;
  /** Opens an OPA bundle (a gzipped tar), verifying its signature when keys are given. */
  readonly openBundle: (request: BundleRequest) => Promise<BundleResult>;
}

/** Sources by the name that findings use for them, e.g. `policy.rego`. */
export type Modules = Readonly<Record<string, string>>;

/** Which version of the language modules without `import rego.v1` are written in. */
export type RegoVersion = "v0" | "v1";

/** What to compile. */
export interface BuildRequest {
  readonly modules: Modules;
  /** One term of Rego, e.g. `data.envoy.authz.allow`: what an evaluation answers. */
  readonly query: string;
  readonly regoVersion: RegoVersion;
}

/** Something that OPA says of a module. */
export interface RegoFinding {
  readonly severity: "error" | "warning";
  /** OPA's code: `rego_parse_error`, `rego_type_error`, `rego_compile_error`, `rego_unsafe_var_error` … */
  readonly code: string;
  readonly message: string;
  /** A name of the request's modules; undefined when no module is meant. */
  readonly file: string | undefined;
  /** 1-based; 1 without a place. */
  readonly line: number;
  readonly column: number;
}

/** Where a builtin is called. */
export interface BuiltinUse {
  readonly name: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** A compiled policy, or why there is none: `findings` has an error exactly when `wasm` is undefined. */
export interface BuildResult {
  /** As OPA's compiler made it: its one entrypoint answers the query. */
  readonly wasm: Uint8Array | undefined;
  readonly findings: readonly RegoFinding[];
  /** The first call of each builtin in each module. */
  readonly builtins: readonly BuiltinUse[];
}

/** A bundle, and the key that its signature must verify with. */
export interface BundleRequest {
  readonly bundle: Uint8Array;
  /** Undefined: signatures are not looked at. */
  readonly verification?:
    | {
        /** PEM of a public key or certificate, or the secret of HMAC. */
        readonly key: string;
        /** `RS256` when undefined, as OPA. */
        readonly algorithm?: string | undefined;
        readonly scope?: string | undefined;
      }
    | undefined;
  /** Of all files together, unpacked. */
  readonly maxBytes: number;
}

/** What a bundle holds, or why it cannot be used. */
export type BundleResult =
  | { readonly ok: true; readonly bundle: OpenBundle }
  | { readonly ok: false; readonly message: string };

/** The content of a bundle. */
export interface OpenBundle {
  readonly revision: string;
  readonly modules: Modules;
  /** The manifest's, or what its content says. */
  readonly regoVersion: RegoVersion;
  /** JSON of an object: all data files joined. */
  readonly data: string;
  /** wasm modules with the entrypoints that the manifest says they answer, without `data.`: `envoy/authz/allow`. */
  readonly wasm: readonly { readonly wasm: Uint8Array; readonly entrypoint: string }[];
}
