import type { Json } from "@tutti/model";
import type { Target } from "./target.ts";
import { cron } from "./targets/cron.ts";
import { document } from "./targets/document.ts";
import { duration } from "./targets/duration.ts";
import { event } from "./targets/event.ts";
import { eventStream } from "./targets/event-stream.ts";
import { expression } from "./targets/expression.ts";
import { frames } from "./targets/frames.ts";
import { httpAnswer } from "./targets/http-answer.ts";
import { httpRequest } from "./targets/http-request.ts";
import { httpSocket } from "./targets/http-socket.ts";
import { jq } from "./targets/jq.ts";
import { record } from "./targets/record.ts";
import { time } from "./targets/time.ts";
import { uriTemplate } from "./targets/uri-template.ts";

/** Everything that takes what others wrote, cheapest first. */
export const TARGETS: readonly Target[] = [
  widened(duration),
  widened(uriTemplate),
  widened(time),
  widened(eventStream),
  widened(frames),
  widened(cron),
  widened(event),
  widened(record),
  widened(httpRequest),
  widened(httpAnswer),
  widened(httpSocket),
  widened(expression),
  widened(document),
  widened(jq),
];

/** Inputs come from a target's own `make` only, or are smaller ones of the same shape. */
function widened<Input extends Json>(target: Target<Input>): Target {
  return target as unknown as Target;
}

export function targetNamed(name: string): Target {
  const target = TARGETS.find((one) => one.name === name);
  if (target === undefined) throw new Error(`There is no target "${name}"; there are: ${TARGETS.map((one) => one.name).join(", ")}.`);
  return target;
}
