import type { BuildRequest, BundleRequest } from "../rego/index.js";
import type {
  CheckRequest,
  DepsRequest,
  EvalRequest,
  FormatRequest,
  InspectRequest,
  TestRequest,
} from "./opa-tools.js";
import type { WasmModule } from "./opa-web-assembly.js";

/** What OPA is asked, by its operation's name; bytes are still bytes. */
export type OpaRequest =
  | ({ readonly op: "build" } & BuildRequest)
  | ({ readonly op: "openBundle" } & BundleRequest)
  | ({ readonly op: "check" } & CheckRequest)
  | ({ readonly op: "fmt" } & FormatRequest)
  | ({ readonly op: "test" } & TestRequest)
  | ({ readonly op: "eval" } & EvalRequest)
  | ({ readonly op: "inspect" } & InspectRequest)
  | ({ readonly op: "deps" } & DepsRequest);

/** What the thread is given. */
export interface OpaThreadData {
  readonly artifact: string;
  readonly checksums: string;
  /** From an earlier thread: not compiled again. */
  readonly module: WasmModule | undefined;
  readonly maxMemoryBytes: number;
}

/** What the thread says: that it is ready, then one answer for each request, in order. */
export type FromOpaThread =
  | { readonly type: "ready"; readonly module: WasmModule }
  | { readonly type: "unusable"; readonly message: string }
  /** The instance has `memoryBytes`, which never become less. */
  | { readonly type: "answer"; readonly answer: unknown; readonly memoryBytes: number }
  /** The instance must not be asked again when it is `broken`. */
  | { readonly type: "failure"; readonly message: string; readonly broken: boolean };
