export { type Ip, parseIp, parseZonedIp } from "./address.js";
export type { Attributes, ByteString, HttpRequest, Peer, RequestAuth, Unsent } from "./attributes.js";
export { isWellFormed, lowerAscii, toBytes, toText, wellFormed } from "./bytes.js";
export { identityFromClientCert, identityFromXfcc } from "./client-cert-header.js";
export { breaksLine, isEditableHeader, isFieldName, isHopByHop } from "./header-syntax.js";
export { type Identity, parseSpiffeId, readIdentity, type SpiffeId } from "./identity.js";
export { type IpRange, ipRange, isWithin } from "./ip-range.js";
export { type JsonObject, type JsonValue, member } from "./json.js";
export type { ServiceRef, Workload, WorkloadType } from "./workload.js";
