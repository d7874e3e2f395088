import { joinPointer } from "../json-pointer.ts";
import { type LintContext, member, textAt } from "./context.ts";

/** Protocols of AsyncAPI that are spoken here, of those that the language names. */
const SPOKEN: readonly string[] = ["http", "ws", "mqtt", "mqtt5", "amqp", "nats"];

/** Calls of the language that are valid and still can't be carried out as they stand. */
export function checkProtocols(context: LintContext): void {
  for (const { task, pointer } of context.sites) {
    if (textAt(task, "call") === "asyncapi") checkAsyncapi(context, task, joinPointer(pointer, "with"));
  }
}

function checkAsyncapi(context: LintContext, task: Parameters<typeof member>[0], pointer: string): void {
  const given = member(task, "with");
  const protocol = textAt(given, "protocol");
  // The protocol is only looked at when no server is named.
  if (protocol !== undefined && !SPOKEN.includes(protocol) && !Object.hasOwn(given, "server")) {
    context.error("unsupported-protocol", {
      pointer: joinPointer(pointer, "protocol"),
      message: `The protocol \`${protocol}\` is not spoken here.`,
      hint: `These are: ${SPOKEN.map((name) => `\`${name}\``).join(", ")}.`,
    });
  }
  const subscription = member(given, "subscription");
  const amount = member(subscription, "consume")["amount"];
  if (typeof amount === "number" && amount < 1) {
    context.error("empty-subscription", {
      pointer: joinPointer(pointer, "subscription", "consume", "amount"),
      message: "This subscription ends before its first message.",
      hint: "`amount` is 1 or more.",
    });
  }
}
