# The login shell on a running NixOS: it lists and boots, nothing else, and services stop before the jump.
{
  lib,
  pkgs,
  ...
}:

let
  keys = import (pkgs.path + "/nixos/tests/ssh-keys.nix") pkgs;
  touch = lib.getExe' pkgs.coreutils "touch";
in
{
  name = "chainboot-login-shell";

  nodes.machine = {
    imports = [ ../../modules ];

    virtualisation.vlans = [ ];
    # Two kernels and two initrds are in it at the moment of the jump.
    virtualisation.memorySize = 4096;

    boot.loader.generic-extlinux-compatible.enable = true;
    boot.chainboot = {
      enable = true;
      firstStage.enable = false;
      check.onProblem = "fail";
      loginShell.enable = true;
      loginShell.authorizedKeys = [ keys.snakeOilEd25519PublicKey ];
    };
    services.openssh.enable = true;

    # Its trace is on the disk, which the next system has too.
    systemd.services.witness = {
      wantedBy = [ "multi-user.target" ];
      serviceConfig = {
        Type = "oneshot";
        RemainAfterExit = true;
        ExecStart = "${lib.getExe' pkgs.coreutils "rm"} -f /var/lib/stopped";
        ExecStop = "${touch} /var/lib/stopped /var/lib/stopped-once";
      };
    };
  };

  testScript =
    { nodes, ... }:
    ''
      machine.wait_for_unit("multi-user.target")
      machine.wait_for_open_port(22)
      machine.succeed("install -m 0600 ${keys.snakeOilEd25519PrivateKey} /root/identity")
      ssh = "ssh -n -i /root/identity -o BatchMode=yes -o StrictHostKeyChecking=accept-new boot@localhost"

      with subtest("what NixOS writes is read"):
          machine.succeed("${nodes.machine.system.build.installBootLoader} /run/current-system >&2")
          listed = machine.succeed(f"{ssh} list")
          assert "nixos-default" in listed, listed

      with subtest("nobody gets a shell by it"):
          machine.fail(f"{ssh} id")
          machine.fail(f"{ssh} 'boot $(touch /run/injected)'")
          machine.fail("sftp -b /dev/null -i /root/identity boot@localhost")
          machine.succeed("test ! -e /run/injected")

      with subtest("services stop, and the machine is in the new system"):
          machine.succeed("touch /run/before")
          before = machine.succeed("cat /proc/sys/kernel/random/boot_id")
          machine.execute(f"{ssh} boot nixos-default >&2 &", check_return=False)
          machine.connected = False
          machine.connect()
          machine.wait_for_unit("multi-user.target")
          machine.fail("test -e /run/before")
          assert machine.succeed("cat /proc/sys/kernel/random/boot_id") != before
          machine.succeed("test -e /var/lib/stopped-once")
          machine.succeed("grep -q /nix/store/.*/init /proc/cmdline")
    '';
}
