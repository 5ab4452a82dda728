export {
  type Authorization,
  type AuthorizationOptions,
  createAuthorization,
  createRequestReader,
  type RequestReader,
  toCheckResponse,
} from "./ext-authz/index.js";
