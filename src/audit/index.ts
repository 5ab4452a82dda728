export { type Chain, type ChainState, createChain, newChain, readChain } from "./chain.js";
export { type ChainFault, type ChainVerdict, createVerifier } from "./chain-verify.js";
