export type {
  ExtProcCall,
  ExtProcFailure,
  ExtProcKind,
  ExtProcObserver,
  ExtProcOptions,
  ExtProcStream,
} from "./call.js";
export type { InitialMetadata } from "./destination.js";
export {
  type BodyOutcome,
  createExchanges,
  type ExchangePorts,
  type Exchanges,
  type Policies,
} from "./exchange-of.js";
export { peerAttribute, requestAttributes } from "./request.js";
export { createExtProcService, type ExtProcService } from "./service.js";
