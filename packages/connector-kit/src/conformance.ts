export { freshToken } from "./conformance/bench.ts";
export { type CallsForTests, callsForTests, type GivenToCall } from "./conformance/calls-for-tests.ts";
export type { ConnectorUnderTest, FunctionCase, GivenToCase, OpenTarget, TargetFault } from "./conformance/connector-under-test.ts";
export { httpTarget } from "./conformance/http-target.ts";
export { connectorLaws, type Law } from "./conformance/laws.ts";
