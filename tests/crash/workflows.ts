/** What the kill loop runs: small workflows that together use every way in which a run can be interrupted. */

const head = (name: string) => `document: { dsl: 1.0.3, namespace: crash, name: ${name}, version: 1.0.0 }`;

export const CRASH_WORKFLOWS: Readonly<Record<string, string>> = {
  steps: `${head("steps")}
do:
  - put: { call: "account.put:1@bank", with: { account: "\${ $workflow.input.key }", amount: 1 } }
  - open: { call: "account.open:1@bank", with: { account: "\${ $workflow.input.key }", amount: 2 } }
  - read: { call: "account.read:1@bank", with: { account: "\${ $workflow.input.key }" } }
  - loop:
      for: { in: "[1, 2, 3]" }
      do: [ { step: { call: "account.put:1@bank", with: { account: "\${ $workflow.input.key }", amount: "\${ $item }" } } } ]
  - last: { set: { key: "\${ $workflow.input.key }" } }`,
  unsafe: `${head("unsafe")}
do:
  - pay: { call: "account.transfer:1@bank", with: { account: "\${ $workflow.input.key }", amount: 5 } }
  - note: { call: "account.put:1@bank", with: { account: "\${ $workflow.input.key }", amount: 1 } }`,
  parallel: `${head("parallel")}
do:
  - both:
      fork:
        branches:
          - left: { call: "account.open:1@bank", with: { account: left, amount: 1 } }
          - right: { do: [ { pause: { wait: { milliseconds: 20 } } }, { put: { call: "account.put:1@bank", with: { account: right, amount: 1 } } } ] }
          - third: { call: "account.put:1@bank", with: { account: third, amount: 1 } }
  - locked: { call: "account.put:1@bank", with: { account: locked, amount: 1 }, metadata: { tutti: { concurrency: { key: '"one"', limit: 2, onConflict: queue } } } }`,
  events: `${head("events")}
do:
  - pair:
      fork:
        branches:
          - say: { do: [ { pause: { wait: { milliseconds: 15 } } }, { tell: { emit: { event: { with: { type: crash.told, data: { key: "\${ $workflow.input.key }" } } } } } } ] }
          - hear: { listen: { to: { one: { with: { type: crash.told }, correlate: { key: { from: .data.key, expect: "\${ $workflow.input.key }" } } } } } }
  - after: { call: "account.put:1@bank", with: { account: after, amount: 1 } }`,
  parent: `${head("parent")}
do:
  - child: { run: { workflow: { namespace: crash, name: steps, version: 1.0.0, input: { key: "\${ .key }" } } } }
  - guarded:
      try:
        - put: { call: "account.put:1@bank", with: { account: guarded, amount: 1 } }
        - sometimes: { if: '(.amount // 0) >= 0 and ($context.tried | not)', raise: { error: { type: "https://crash.test/again", status: 503 } } }
      catch: { errors: { with: { status: 503 } }, retry: { delay: { milliseconds: 10 }, limit: { attempt: { count: 1 } } }, do: [ { done: { set: { gaveUp: true } } } ] }`,
};
