export {
  type AccessLogOptions,
  type AccessLogService,
  type AccessLogSkip,
  type AccessLogStream,
  createAccessLogService,
} from "./service.js";
