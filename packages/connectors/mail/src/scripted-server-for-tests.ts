import type { Socket } from "node:net";

/** What the server says to a command, by how the command begins; `undefined` closes the connection without a word. */
export type Script = Readonly<Record<string, string | undefined>>;

const USUAL: Script = {
  greeting: "220 scripted.test ESMTP",
  EHLO: "250 scripted.test",
  MAIL: "250 2.1.0 Ok",
  RCPT: "250 2.1.5 Ok",
  DATA: "354 End data with <CR><LF>.<CR><LF>",
  /** After the whole message. */
  end: "250 2.0.0 Ok: queued as 1234",
  QUIT: "221 2.0.0 Bye",
};

/** What a scripted server has heard. */
export interface Heard {
  readonly commands: string[];
  readonly messages: string[];
}

/** Speaks SMTP on a socket, as usual but where the script says otherwise. */
export function speak(socket: Socket, script: Script, heard: Heard): void {
  const say = (word: string): void => {
    const answer = Object.hasOwn(script, word) ? script[word] : (USUAL[word] ?? "502 5.5.1 Unknown command");
    if (answer === undefined) socket.destroy();
    else socket.write(`${answer}\r\n`);
  };
  let rest = "";
  let isData = false;
  socket.setEncoding("utf8");
  socket.on("data", (text: string) => {
    rest += text;
    for (;;) {
      const mark = isData ? "\r\n.\r\n" : "\r\n";
      const at = rest.indexOf(mark);
      if (at < 0) return;
      const whole = rest.slice(0, at);
      rest = rest.slice(at + mark.length);
      if (isData) {
        isData = false;
        heard.messages.push(whole);
        say("end");
      } else {
        heard.commands.push(whole);
        const word = whole.slice(0, 4).toUpperCase();
        isData = word === "DATA" && !Object.hasOwn(script, word);
        say(word);
      }
    }
  });
  say("greeting");
}
