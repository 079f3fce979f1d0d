# A NixOS with the module, on its own disk: the first stage boots it, it writes a second generation as nixos-rebuild
# does, and over SSH to the first stage somebody goes back to the first one.
{
  hostPrograms,
  lib,
  pkgs,
  prelude,
}:

let
  keys = import (pkgs.path + "/nixos/tests/ssh-keys.nix") pkgs;

  machine = pkgs.nixos (
    { modulesPath, ... }:
    {
      imports = [
        ../../modules
        "${modulesPath}/profiles/qemu-guest.nix"
        # The shell by which the test driver asks the running system.
        "${modulesPath}/testing/test-instrumentation.nix"
      ];

      fileSystems."/" = {
        device = "/dev/disk/by-label/nixos";
        fsType = "ext4";
      };
      documentation.enable = false;

      boot.loader.generic-extlinux-compatible.enable = true;
      boot.chainboot = {
        enable = true;
        check.onProblem = "fail";
        firstStage.consoles = [ "ttyS0" ];
        ssh.enable = true;
        ssh.roles.boot = [ keys.snakeOilEd25519PublicKey ];
        # Nothing boots by itself in this test.
        settings.timeout_ds = 36000;
      };

      # The second generation.
      specialisation.newer.configuration.environment.etc.generation.text = "newer\n";
    }
  );

  inherit (machine) config;
  firstStage = config.system.build.chainbootFirstStage;
  older = "${config.system.build.toplevel}";

  # As an installer leaves it: the store, and what the boot loader's own program writes for the first generation.
  disk = pkgs.callPackage (pkgs.path + "/nixos/lib/make-ext4-fs.nix") {
    storePaths = [ config.system.build.toplevel ];
    volumeLabel = "nixos";
    populateImageCommands = ''
      mkdir -p ./files/boot
      ${config.boot.loader.generic-extlinux-compatible.populateCmd} -c ${older} -d ./files/boot
    '';
  };
in
{
  name = "chainboot-rollback";
  nodes = { };

  testScript = ''
    ${prelude hostPrograms}
    import shlex
    import shutil
    import subprocess
    from pathlib import Path

    from chainboot_vm import qemu
    from chainboot_vm.access import HOST
    from chainboot_vm.architecture import architecture
    from chainboot_vm.ssh import Target

    OLDER = "${older}"
    NEWER = "${older}/specialisation/newer"

    here = Path(os.environ["CHAINBOOT_BUILD"])
    disk = here / "disk.img"
    shutil.copyfile("${disk}", disk)
    os.truncate(disk, disk.stat().st_size + (1 << 30))
    subprocess.run(["resize2fs", "-f", str(disk)], check=True)
    identity = here / "identity"
    shutil.copyfile("${keys.snakeOilEd25519PrivateKey}", identity)
    identity.chmod(0o600)

    command = qemu.command_line(
        architecture("x86_64"),
        kernel=Path("${firstStage.kernel}"),
        initrd=Path("${firstStage.initrd}"),
        append="${firstStage.cmdline} quiet panic=10",
        drives=[qemu.Drive(disk, kept=True)],
        networks=[qemu.Network()],
        memory_mib=2048,
        acceleration=("-accel", "kvm", "-accel", "tcg"),
    )
    machine = create_machine(shlex.join(command), name="machine")
    machine.start(allow_reboot=True)

    # The first stage makes its host key at its first boot and keeps it: the one that is seen first has to stay.
    target = Target(identity, here / "known_hosts", pinned=False)


    def first_stage(*words):
        port = qemu.forwarded_port(0, machine.send_monitor_command("info usernet"))
        argv = [*target.argv(port), "--", HOST, *words]
        return subprocess.run(argv, capture_output=True, text=True, timeout=120)


    def boot(label, system):
        """Boot `label` by the first stage, which must be there, and see what runs."""
        retry(lambda _: first_stage("list").returncode == 0)
        listed = first_stage("list").stdout
        assert label in listed, listed
        done = first_stage("boot", label)
        assert done.returncode == 0, f"exit code {done.returncode}: {done.stdout}{done.stderr}"
        machine.connected = False
        machine.wait_for_unit("multi-user.target")
        wanted = machine.succeed(f"readlink -f {system}").strip()
        booted = machine.succeed("readlink -f /run/booted-system").strip()
        assert booted == wanted, f"{booted} runs, and not {wanted}"


    def reboot():
        machine.execute("systemctl reboot >&2 &", check_return=False)
        machine.connected = False


    with subtest("the first stage boots the first generation from its own disk"):
        boot("nixos-default", OLDER)

    with subtest("a second generation is written as nixos-rebuild does"):
        machine.succeed("nix-store --load-db </nix-path-registration")
        for system in (OLDER, NEWER):
            machine.succeed(f"nix-env -p /nix/var/nix/profiles/system --set $(readlink -f {system})")
        machine.succeed(f"{NEWER}/bin/switch-to-configuration boot >&2")
        machine.succeed("chainboot check")
        reboot()

    with subtest("it is the default now"):
        boot("nixos-default", NEWER)
        reboot()

    with subtest("somebody rolls back over SSH"):
        boot("nixos-1-default", OLDER)

    machine.crash()
  '';
}
