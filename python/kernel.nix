# The kernel of the first stage. A callPackage function: nixpkgs' own everywhere but on s390x, for which nixpkgs
# describes no kernel (lib/systems/platforms.nix). It is cross-built, so it gets what is needed and little more.
{
  lib,
  linux,
  stdenv,
}:

let
  # Said in two ways: 26.11 has removed the platform's description and asks for the file alone.
  described = lib.versionOlder lib.trivial.release "26.11";

  platform = {
    name = "s390x";
    target = "bzImage";
    baseConfig = "defconfig";
    autoModules = false;
  };

  # What python/first-stage/image-spec.json requires, and what the first stage cannot do without.
  needed = [
    "KEXEC"
    "KEXEC_FILE"
    "DEVTMPFS"
    "BLK_DEV_INITRD"
    "RD_ZSTD"
    "IKCONFIG"
    "IKCONFIG_PROC"
    "SCLP_TTY"
    "SCLP_CONSOLE"
    "VIRTIO_BLK"
    "VIRTIO_NET"
    "VIRTIO_CONSOLE"
    "SCSI_VIRTIO"
    "BLK_DEV_SD"
    "BLK_DEV_SR"
    "BLK_DEV_NVME"
    "EXT4_FS"
    "VFAT_FS"
    "XFS_FS"
    "BTRFS_FS"
    "NLS_CODEPAGE_437"
    "NLS_ISO8859_1"
    "NLS_ASCII"
    "NLS_UTF8"
    "DASD"
    "DASD_ECKD"
    "DASD_FBA"
    "ZFCP"
    "QETH"
    "QETH_L2"
    "QETH_L3"
    "DIAG288_WATCHDOG"
  ];
in
if !stdenv.hostPlatform.isS390x then
  linux
else
  linux.override (
    {
      autoModules = false;
      structuredExtraConfig = lib.genAttrs needed (_: lib.mkForce lib.kernel.yes);
    }
    // (
      if described then
        {
          stdenv = stdenv // {
            hostPlatform = stdenv.hostPlatform // {
              linux-kernel = platform;
            };
          };
        }
      else
        { inherit (platform) target; }
    )
  )
