export {
  type AccessLogOptions,
  type AccessLogService,
  type AccessLogSkip,
  type AccessLogStream,
  createAccessLogService,
} from "./als/index.js";
export {
  type Authorization,
  type AuthorizationOptions,
  createAuthorization,
  createRequestReader,
  toCheckResponse,
} from "./ext-authz/index.js";
export {
  type BodyOutcome,
  createExchanges,
  createExtProcService,
  type ExtProcCall,
  type ExtProcObserver,
  type ExtProcService,
  type ExtProcStream,
} from "./ext-proc/index.js";
export { type Carried, type CarriedOver, createHandover, type Handover } from "./handover.js";
export {
  createRateLimitService,
  type RateLimitCall,
  type RateLimitService,
  type RateLimitServiceOptions,
  RpcError,
} from "./rls/index.js";
export { fromStruct, toStruct, toValue } from "./struct.js";
