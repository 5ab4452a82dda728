export type {
  ExtProcCall,
  ExtProcFailure,
  ExtProcKind,
  ExtProcObserver,
  ExtProcOptions,
  ExtProcStream,
} from "./call.js";
export type { InitialMetadata } from "./destination.js";
export { createExchanges, type Exchanges } from "./exchange-of.js";
export type { BodyOutcome, ExchangePorts, Policies } from "./exchange-state.js";
export { peerAttribute, requestAttributes } from "./request.js";
export { createExtProcService, type ExtProcService } from "./service.js";
