export { maxDescriptors, readRateLimitRequest } from "./request.js";
export { encodeRateLimitResponse } from "./response.js";
export { type RpcCode, RpcError, rpcCode } from "./rpc-error.js";
export {
  createRateLimitService,
  type RateLimitCall,
  type RateLimitService,
  type RateLimitServiceOptions,
} from "./service.js";
