# Every option of the module, set to something else than its default where that can be; but for what takes the place of
# what the module makes (given.nix). That none is left out is held by systems.nix.
{ pkgs, ... }:
let
  key = name: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI${name} ${name}@example";
in
{
  boot.loader.generic-extlinux-compatible.enable = true;
  services.openssh.enable = true;

  boot.chainboot = {
    enable = true;
    package = pkgs.callPackage ../../../python/package.nix { };
    settings = {
      timeout_ds = 50;
      add_console = true;
      interfaces = [
        "eth0"
        "eth1"
      ];
      ip = "192.0.2.7::192.0.2.1:255.255.255.0::eth0:off";
      s390x.devices = [
        "dasd:0.0.0100"
        "qeth:0.0.0600"
      ];
    };
    firstStage = {
      enable = true;
      kernelPackages =
        if pkgs.stdenv.hostPlatform.isS390x then
          pkgs.linuxPackagesFor (pkgs.callPackage ../../../python/kernel.nix { })
        else
          pkgs.linuxPackages_latest;
      kernelParams = [ "panic=30" ];
      availableKernelModules = [ "loop" ];
      consoles = [
        "tty0"
        "ttyS0,115200n8"
      ];
      extraFiles = {
        "/etc/motd".text = "the first stage\n";
        "/etc/note" = {
          source = ./everything.nix;
          mode = "0600";
        };
      };
      install = "none";
      directory = "/boot/first stage";
      # What is in it is not looked at.
      ziplPackage = pkgs.hello;
    };
    ssh = {
      enable = true;
      port = 2222;
      hostKeys = [ "/etc/secrets/chainboot/host_key" ];
      ignoreEmptyHostKeys = false;
      authorizedKeys = [ (key "admin") ];
      authorizedKeyFiles = [ ./everything.nix ];
      roles = {
        view = [ (key "view") ];
        boot = [ (key "boot") ];
        edit = [ (key "edit") ];
        admin = [ (key "other") ];
      };
    };
    loginShell = {
      enable = true;
      user = "operator";
      role = "view";
      authorizedKeys = [
        (key "operator")
        ''command="chainboot login --role view" ${key "guest"}''
      ];
    };
    check = {
      enable = true;
      onProblem = "fail";
    };
    trial = {
      enable = true;
      confirm = "login";
      deadline = 300;
      checks = {
        defaultRoute.enable = true;
        sshd.enable = true;
        resolve = [
          "example.org"
          "a-b.example.org"
        ];
      };
      watchdog = {
        enable = true;
        seconds = 30;
      };
    };
  };
}
