import type { BuiltinUse, Modules, RegoFinding, RegoVersion } from "../rego/index.js";

/** What else the embedded OPA does for who writes policies. Every call has the compiler's deadline. */
export interface AuthorTools {
  /** `opa check`. */
  readonly check: (request: CheckRequest) => Promise<CheckResult>;
  /** `opa fmt`. */
  readonly fmt: (request: FormatRequest) => Promise<FormatResult>;
  /** `opa test`: rules named `test_…`; those named `todo_test_…` are skipped. There is no network. */
  readonly test: (request: TestRequest) => Promise<TestResult>;
  /** `opa eval` of one term. There is no network. */
  readonly eval: (request: EvalRequest) => Promise<EvalResult>;
  /** `opa inspect`; a bundle's signature is not looked at. */
  readonly inspect: (request: InspectRequest) => Promise<InspectResult>;
  /** `opa deps`. */
  readonly deps: (request: DepsRequest) => Promise<DepsResult>;
}

/** Modules in one version of the language. */
export interface ModulesRequest {
  readonly modules: Modules;
  readonly regoVersion: RegoVersion;
}

/** What to check. */
export interface CheckRequest extends ModulesRequest {
  /** OPA's strict mode: unused imports and variables and the like are errors. */
  readonly strict?: boolean | undefined;
}

/** Nothing is wrong when there are no findings. */
export interface CheckResult {
  readonly findings: readonly RegoFinding[];
}

/** What to format. */
export type FormatRequest = ModulesRequest;

/** A module is in `formatted`, changed or not, or has a finding. */
export interface FormatResult {
  readonly formatted: Modules;
  readonly findings: readonly RegoFinding[];
}

/** What to test. */
export interface TestRequest extends ModulesRequest {
  /** JSON of an object. */
  readonly data?: string | undefined;
  /** Regular expression (RE2) over `data.package.test_name`. */
  readonly run?: string | undefined;
  readonly coverage?: boolean | undefined;
  /** Of one test; 5 seconds when undefined. */
  readonly timeoutMs?: number | undefined;
}

/** With findings nothing ran. */
export interface TestResult {
  /** By file and line. */
  readonly results: readonly TestOutcome[];
  readonly coverage: Coverage | undefined;
  readonly findings: readonly RegoFinding[];
}

/** One test. */
export interface TestOutcome {
  /** Without `data.`. */
  readonly package: string;
  readonly name: string;
  readonly file: string;
  readonly line: number;
  readonly outcome: "pass" | "fail" | "skip" | "error";
  readonly durationNs: number;
  /** What `print` said. */
  readonly output: string;
  /** Why the outcome is `error`. */
  readonly message: string | undefined;
  /** The first expression that was not true. */
  readonly failedAt:
    | { readonly file: string; readonly line: number; readonly column: number; readonly text: string }
    | undefined;
  /** Of a test with cases, `test_x[name]`: each of them. */
  readonly cases: readonly { readonly name: string; readonly pass: boolean }[];
}

/** Which lines the tests evaluated; `percent` is of the lines that can be. */
export interface Coverage {
  readonly files: Readonly<Record<string, FileCoverage>>;
  readonly percent: number;
}

/** Of one file. */
export interface FileCoverage {
  readonly covered: readonly LineRange[];
  readonly notCovered: readonly LineRange[];
  readonly percent: number;
}

/** Both ends belong to it. */
export interface LineRange {
  readonly from: number;
  readonly to: number;
}

/** What to evaluate. */
export interface EvalRequest extends ModulesRequest {
  /** One term of Rego. */
  readonly query: string;
  /** JSON of an object. */
  readonly data?: string | undefined;
  /** JSON. */
  readonly input?: string | undefined;
  /** 5 seconds when undefined. */
  readonly timeoutMs?: number | undefined;
}

/** Undefined when there is neither a value nor a finding. */
export interface EvalResult {
  /** JSON, numbers as they were written. */
  readonly value: string | undefined;
  readonly findings: readonly RegoFinding[];
  /** What `print` said, line by line. */
  readonly printed: readonly string[];
}

/** What to describe. */
export type InspectRequest = ModulesRequest | { readonly bundle: Uint8Array; readonly maxBytes: number };

/** What modules or a bundle hold. */
export interface InspectResult {
  /** By path, e.g. `data.envoy.authz`. */
  readonly packages: Readonly<Record<string, PackageContent>>;
  /** `# METADATA` comments. */
  readonly annotations: readonly {
    readonly path: string;
    readonly file: string;
    readonly line: number;
    readonly annotations: Readonly<Record<string, unknown>>;
  }[];
  readonly builtins: readonly BuiltinUse[];
  /** Of a bundle. */
  readonly manifest: Readonly<Record<string, unknown>> | undefined;
  readonly findings: readonly RegoFinding[];
}

/** Of one package, all files together. */
export interface PackageContent {
  readonly files: readonly string[];
  readonly rules: readonly string[];
  readonly tests: readonly string[];
}

/** Whose dependencies. */
export interface DepsRequest extends ModulesRequest {
  /** One term of Rego. */
  readonly query: string;
}

/** The documents that an answer may depend on. */
export interface DepsResult {
  /** Data and input. */
  readonly base: readonly string[];
  /** Rules. */
  readonly virtual: readonly string[];
  readonly findings: readonly RegoFinding[];
}
