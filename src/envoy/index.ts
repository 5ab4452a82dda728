export {
  type Authorization,
  type AuthorizationOptions,
  createAuthorization,
  createRequestReader,
  toCheckResponse,
} from "./ext-authz/index.js";
export { fromStruct, toStruct, toValue } from "./struct.js";
