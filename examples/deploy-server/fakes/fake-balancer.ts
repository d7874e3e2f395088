import type { EffectLedger } from "./fault.ts";

interface Member {
  readonly address: string;
  readonly port: number;
  enabled: boolean;
  checked: boolean;
}

const STATE_HEAD =
  "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port\n";

/** HAProxy's runtime commands that the deployment uses, with the answers of version 2.6: names of members are unique. */
export class FakeBalancer {
  readonly members = new Map<string, Member>();
  readonly #ledger: EffectLedger;

  constructor(ledger: EffectLedger) {
    this.#ledger = ledger;
  }

  /** One connection: commands separated by `;`, one answer each. */
  tell(text: string): string {
    return text
      .trim()
      .split(";")
      .map((command) => `${this.#command(command.trim().split(/\s+/))}\n`)
      .join("");
  }

  /** The address that a request to the frontend is sent to. */
  route(): { readonly address: string; readonly port: number } | undefined {
    return [...this.members.values()].find((member) => member.enabled && member.checked);
  }

  #command(words: readonly string[]): string {
    const [verb = "", kind = "", name = "", target = ""] = words;
    const member = this.members.get(name);
    switch (`${verb} ${kind}`) {
      case "show servers":
        return STATE_HEAD + [...this.members].map(([each, state], place) => stateLine(each, state, place)).join("");
      case "add server": {
        if (member !== undefined) return "Already exists a server with the same name in backend.\n";
        const [address = "", port = ""] = target.split(":");
        this.#ledger.note(`pool member ${name}`);
        this.members.set(name, { address, port: Number(port), enabled: false, checked: false });
        return "New server registered.\n";
      }
      case "enable server":
      case "enable health":
        if (member === undefined) return "No such server.\n";
        if (kind === "server") member.enabled = true;
        else member.checked = true;
        return "";
      default:
        return "Unknown command.\n";
    }
  }
}

/** Administrative state 1 is maintenance; check state 6 is configured and enabled, 2 configured only. */
function stateLine(name: string, member: Member, place: number): string {
  const [backend = "", server = ""] = name.split("/");
  const admin = member.enabled ? 0 : 1;
  const check = member.checked ? 6 : 2;
  return `3 ${backend} ${place + 1} ${server} ${member.address} 2 ${admin} 1 1 0 1 0 3 ${check} 0 0 0 - ${member.port} - 0 0 - - 0\n`;
}
