import { processIo } from "./io.ts";

const words = process.argv.slice(2);
if (words.length === 1 && (words[0] === "--version" || words[0] === "-V")) {
  // Nothing else is loaded for it.
  const { default: manifest } = await import("../package.json", { with: { type: "json" } });
  process.stdout.write(`${manifest.version}\n`);
} else {
  const { runCommandLine } = await import("./program.ts");
  const exitCode = await runCommandLine(processIo(), words.length === 0 ? ["--help"] : words);
  process.exitCode = exitCode;
  // Whatever a dependency may have left open, the command is over once its output is out.
  await Promise.all(
    [process.stdout, process.stderr].map(
      (stream) => new Promise((resolve) => (stream.writable ? stream.write("", resolve) : resolve(undefined))),
    ),
  );
  process.exit(exitCode);
}
