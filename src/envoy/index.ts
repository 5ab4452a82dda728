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
  createRateLimitService,
  type RateLimitCall,
  type RateLimitService,
  type RateLimitServiceOptions,
  RpcError,
} from "./rls/index.js";
export { fromStruct, toStruct, toValue } from "./struct.js";
