export { type Bank, type BankOptions, createBank } from "./bank.ts";
export {
  type AddressedFault,
  type BankFault,
  type BankRequest,
  type FaultAddress,
  type FaultPlan,
  faultsAt,
  NO_FAULTS,
  seededFaults,
  type SeededFaultOptions,
} from "./bank-faults.ts";
export { type BankCall, type BankEffect } from "./bank-ledger.ts";
export { buildDocument, buildEvent, buildRunId, buildToken, callBank } from "./builders.ts";
export { createRandom, type Random } from "./random.ts";
export { VirtualClock, type VirtualTimer } from "./virtual-clock.ts";
export { type StandIn, type StandInReply, type StandInRequest, startStandIn } from "./stand-in.ts";
