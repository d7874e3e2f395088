import { z } from "@tutti/connector-kit";
import { Token } from "@tutti/model/schemas";

/** virsh takes what is all digits for an id, and what is written as a UUID for one: a name is neither. */
const NAME = /^[A-Za-z_][\w.+-]{0,62}$/;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** What a volume of ours has before its ending. */
const TOKEN_IN_NAME = /-(tok_[0-9a-f]{32})(?:\.[a-z0-9]{1,8})?$/;
/** Names of guests end up as their host names, and in the names of volumes. */
const Name = z
  .string()
  .regex(NAME, "a name: a letter, then at most 62 letters, digits and _ . + -")
  .refine((text) => !UUID.test(text.toLowerCase()), "a name that is no UUID");
/** No control characters: XML has none. */
const TEXT = /^[^\p{Cc}\p{Cs}\uFFFE\uFFFF]*$/u;

export const VmName = Name.meta({ description: "Name of the machine" });
export const VmReference = z
  .string()
  .refine((text) => NAME.test(text) || UUID.test(text), "the name or the UUID of a machine")
  .meta({ description: "Name or UUID of the machine" });
export const NetworkName = Name.meta({ description: "Name of the network" });
export const SnapshotName = Name.meta({ description: "Name of the snapshot" });
export const PoolName = Name.meta({ description: "Storage pool; left out: that of the provider" });
/** As the system that keeps them names them. */
export const VolumeName = z
  .string()
  .regex(/^[\w.+][\w.+@:=-]{0,250}$/, "the name of a volume, as `volume.list` tells it")
  .meta({ description: "Name of the volume, as `volume.create` and `volume.list` tell it" });
export const NewVolumeName = z
  .string()
  .regex(NAME, "a name: a letter, then at most 62 letters, digits and _ . + -")
  .meta({ description: "What the volume's name begins with; the call's token and the format follow" });
/** `debian.qcow2`, `images/debian.qcow2`. */
export const Image = z
  .string()
  .regex(/^(?:[A-Za-z_][\w.+-]{0,62}\/)?[\w.+][\w.+@:=-]{0,250}$/, "a volume, or pool/volume")
  .meta({ description: "Volume that holds the image, of the provider's pool of images, or pool/volume; it stays as it is" });
export const Text = z.string().max(4000).regex(TEXT, "text without control characters");
export const TokenText = z.string().regex(/^tok_[0-9a-f]{32}$/, "a token");
export const SizeMib = z
  .int()
  .min(1)
  .max(64 * 1024 * 1024);

/** The UUID of what the call with this token makes: libvirt has only one of each, and knows it by it. */
export function uuidOf(token: string): string {
  const hex = token.slice("tok_".length);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** The other way round. What others have made has a UUID, too, which is then no call's token. */
export function tokenOfUuid(uuid: string): string | undefined {
  const parsed = Token.safeParse(`tok_${uuid.replaceAll("-", "")}`);
  return parsed.success ? parsed.data : undefined;
}

/** A volume of libvirt has no place for a token but its name. */
export function volumeNameOf(name: string, token: string, ending: string): string {
  return `${name}-${token}.${ending}`;
}

export function tokenOfVolume(name: string): string | null {
  return TOKEN_IN_NAME.exec(name)?.[1] ?? null;
}

/** An address of the range of QEMU that stays the same over attempts. */
export function macOf(token: string, place: number): string {
  const hex = token.slice("tok_".length);
  // 28 bits are taken of the token and moved on by the place, so that the cards of one machine differ.
  const value = (Number.parseInt(hex.slice(0, 6), 16) + place) % 0x1000000;
  const text = value.toString(16).padStart(6, "0");
  return `52:54:00:${text.slice(0, 2)}:${text.slice(2, 4)}:${text.slice(4)}`;
}

/** A machine's UUID that is written otherwise than libvirt does is none. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}
