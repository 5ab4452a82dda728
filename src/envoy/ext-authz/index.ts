export { createRequestReader } from "./request.js";
export { recordOf, toCheckResponse } from "./response.js";
export { type Authorization, type AuthorizationOptions, createAuthorization } from "./service.js";
