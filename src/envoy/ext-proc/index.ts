export type { InitialMetadata } from "./destination.js";
export {
  type BodyOutcome,
  createExchanges,
  type ExchangePorts,
  type Exchanges,
  type Policies,
} from "./exchange-of.js";
export { peerAttribute, requestAttributes } from "./request.js";
export {
  createExtProcService,
  type ExtProcCall,
  type ExtProcFailure,
  type ExtProcKind,
  type ExtProcObserver,
  type ExtProcOptions,
  type ExtProcService,
  type ExtProcStream,
} from "./service.js";
