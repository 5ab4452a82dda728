export { type Ip, parseIp, parseZonedIp } from "./address.js";
export type { Attributes, ByteString, HttpRequest, Peer, RequestAuth } from "./attributes.js";
export { lowerAscii, toBytes, toText } from "./bytes.js";
export { breaksLine, isFieldName, isHopByHop } from "./header-syntax.js";
export { type Identity, parseSpiffeId, readIdentity, type SpiffeId } from "./identity.js";
export { type JsonObject, type JsonValue, member } from "./json.js";
export type { ServiceRef, Workload, WorkloadType } from "./workload.js";
