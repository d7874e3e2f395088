const SECTOR = 2048;
/** Sectors before the first descriptor, which are the system's own. */
const FIRST_DESCRIPTOR = 16;
/** No seed has files beyond this; cloud-init reads all of it into memory. */
export const SEED_FILE_BYTES_MAX = 1024 * 1024;
const LABEL = "cidata";

interface Tree {
  /** How names are written, and the descriptor's own type. */
  readonly kind: "plain" | "joliet";
  readonly directorySector: number;
  readonly pathSectors: readonly [little: number, big: number];
}

/**
 * An ISO 9660 image with the label cidata and the given files, as cloud-init's NoCloud reads it: with Joliet names, and plain ones for who reads no Joliet.
 * It is the same image for the same files: a later attempt writes what the one before has written.
 */
export function seedImage(files: Readonly<Record<string, string>>): Buffer {
  const contents = Object.entries(files)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, text]) => ({ name, bytes: Buffer.from(text, "utf8") }));
  const plain: Tree = { kind: "plain", directorySector: 23, pathSectors: [19, 20] };
  const joliet: Tree = { kind: "joliet", directorySector: 24, pathSectors: [21, 22] };
  let sector = 25;
  const placed = contents.map(({ name, bytes }) => {
    const at = sector;
    sector += Math.max(1, Math.ceil(bytes.length / SECTOR));
    return { name, bytes, at };
  });
  const image = Buffer.alloc(sector * SECTOR);
  for (const [place, tree] of [plain, joliet].entries()) {
    descriptor(tree, sector).copy(image, (FIRST_DESCRIPTOR + place) * SECTOR);
    pathTable(tree, false).copy(image, tree.pathSectors[0] * SECTOR);
    pathTable(tree, true).copy(image, tree.pathSectors[1] * SECTOR);
    directory(tree, placed).copy(image, tree.directorySector * SECTOR);
  }
  const end = (FIRST_DESCRIPTOR + 2) * SECTOR;
  image.write("\u00FFCD001\u0001", end, "latin1");
  for (const { bytes, at } of placed) bytes.copy(image, at * SECTOR);
  return image;
}

function descriptor(tree: Tree, sectors: number): Buffer {
  const isPlain = tree.kind === "plain";
  const block = Buffer.alloc(SECTOR);
  const text = (value: string, at: number, length: number): void => {
    if (isPlain) block.write(value.padEnd(length), at, "latin1");
    else bigEndianText(value.padEnd(length / 2)).copy(block, at, 0, length - (length % 2));
  };
  block[0] = isPlain ? 1 : 2;
  block.write("CD001\u0001", 1, "latin1");
  text("LINUX", 8, 32);
  text(LABEL, 40, 32);
  both32(block, 80, sectors);
  // The escape sequence of Joliet level 3.
  if (!isPlain) block.write("%/E", 88, "latin1");
  both16(block, 120, 1);
  both16(block, 124, 1);
  both16(block, 128, SECTOR);
  both32(block, 132, PATH_TABLE_BYTES);
  block.writeUInt32LE(tree.pathSectors[0], 140);
  block.writeUInt32BE(tree.pathSectors[1], 148);
  record("\u0000", tree.directorySector, SECTOR, true).copy(block, 156);
  for (const [at, length] of [
    [190, 128],
    [318, 128],
    [446, 128],
    [574, 128],
    [702, 37],
    [739, 37],
    [776, 37],
  ] as const)
    text("", at, length);
  // No dates: an image of the same files is the same.
  for (const at of [813, 830, 847, 864]) block.write("0".repeat(16), at, "latin1");
  block[881] = 1;
  return block;
}

const PATH_TABLE_BYTES = 10;

function pathTable(tree: Tree, isBigEndian: boolean): Buffer {
  const table = Buffer.alloc(PATH_TABLE_BYTES);
  table[0] = 1;
  if (isBigEndian) table.writeUInt32BE(tree.directorySector, 2);
  else table.writeUInt32LE(tree.directorySector, 2);
  if (isBigEndian) table.writeUInt16BE(1, 6);
  else table.writeUInt16LE(1, 6);
  return table;
}

function directory(tree: Tree, files: readonly { readonly name: string; readonly bytes: Buffer; readonly at: number }[]): Buffer {
  const own = record("\u0000", tree.directorySector, SECTOR, true);
  const parent = record("\u0001", tree.directorySector, SECTOR, true);
  const records = files.map(({ name, bytes, at }) =>
    record(tree.kind === "plain" ? `${name.toUpperCase()};1` : bigEndianText(name), at, bytes.length, false),
  );
  return Buffer.concat([own, parent, ...records]);
}

function record(name: string | Buffer, sector: number, length: number, isDirectory: boolean): Buffer {
  const bytes = typeof name === "string" ? Buffer.from(name, "latin1") : name;
  const size = 33 + bytes.length + ((bytes.length + 1) % 2);
  const entry = Buffer.alloc(size);
  entry[0] = size;
  both32(entry, 2, sector);
  both32(entry, 10, length);
  // 1970-01-01: years are counted from 1900.
  entry.set([70, 1, 1, 0, 0, 0, 0], 18);
  entry[25] = isDirectory ? 2 : 0;
  both16(entry, 28, 1);
  entry[32] = bytes.length;
  bytes.copy(entry, 33);
  return entry;
}

function bigEndianText(text: string): Buffer {
  return Buffer.from(text, "utf16le").swap16();
}

function both32(target: Buffer, at: number, value: number): void {
  target.writeUInt32LE(value, at);
  target.writeUInt32BE(value, at + 4);
}

function both16(target: Buffer, at: number, value: number): void {
  target.writeUInt16LE(value, at);
  target.writeUInt16BE(value, at + 2);
}
