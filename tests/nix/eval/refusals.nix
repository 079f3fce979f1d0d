# What the module refuses, and in which words. Each case is a configuration that evaluates but for its assertions.
{ nixpkgs }:
let
  nixos = import ./nixos.nix { inherit nixpkgs; };
  inherit (nixos) lib;

  good = {
    boot.loader.generic-extlinux-compatible.enable = true;
    boot.chainboot.enable = true;
  };
  key = name: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI${name} ${name}@example";
  served = {
    boot.chainboot.ssh.enable = true;
    users.users.root.openssh.authorizedKeys.keys = [ (key "root") ];
  };
  login.boot.chainboot.loginShell.enable = true;

  case = name: modules: expected: {
    inherit name expected;
    got =
      let
        system = nixos.evaluate "x86_64" (
          [
            nixos.chainboot.nixosModules.default
            good
          ]
          ++ modules
        );
      in
      map (refused: lib.removeSuffix "\n" refused.message) (
        lib.filter (claim: !claim.assertion) system.config.assertions
      );
  };
in
[
  (case "nothing is wrong" [ served login ] [ ])

  (case "no generic-extlinux-compatible"
    [
      {
        boot.loader.generic-extlinux-compatible.enable = lib.mkForce false;
        boot.loader.grub.enable = false;
      }
    ]
    [
      ''
        boot.chainboot reads the configuration that generic-extlinux-compatible writes, and that is off.
        Set boot.loader.generic-extlinux-compatible.enable = true; and turn the other boot loader off, such as with
        boot.loader.systemd-boot.enable = false;''
    ]
  )

  (case "two boot loaders"
    [
      {
        boot.loader.grub.enable = true;
        boot.loader.grub.devices = [ "/dev/vda" ];
      }
    ]
    [
      ''
        Only one boot loader can be enabled at a time, and beside generic-extlinux-compatible there is another one.
        Turn it off, such as with boot.loader.grub.enable = false;''
    ]
  )

  (case "SSH without a key"
    [ { boot.chainboot.ssh.enable = true; } ]
    [
      ''
        You should specify at least one authorized key for the first stage's SSH: in boot.chainboot.ssh.authorizedKeys,
        boot.chainboot.ssh.roles, boot.chainboot.ssh.authorizedKeyFiles or users.users.root.openssh.authorizedKeys.keys.''
    ]
  )

  (case "the keys of the boot volume are keys"
    [
      {
        boot.chainboot.ssh.enable = true;
        boot.chainboot.settings.ssh_volume_keys = true;
      }
    ]
    [ ]
  )

  (case "SSH without a first stage"
    [
      served
      { boot.chainboot.firstStage.enable = false; }
    ]
    [
      ''
        boot.chainboot.ssh is the way into the first stage, and there is none: boot.chainboot.firstStage.enable is false.
        For a menu over the running system's SSH set boot.chainboot.loginShell.enable = true;''
    ]
  )

  (case "no host key where one is asked for"
    [
      served
      { boot.chainboot.ssh.ignoreEmptyHostKeys = false; }
    ]
    [
      ''
        You must pre-generate a host key for the first stage's SSH and give its path in boot.chainboot.ssh.hostKeys.
        With boot.chainboot.ssh.ignoreEmptyHostKeys = true; the first stage makes one at its first boot.''
    ]
  )

  (case "two host keys"
    [
      served
      {
        boot.chainboot.ssh.hostKeys = [
          "/etc/a"
          "/etc/b"
        ];
      }
    ]
    [
      "boot.chainboot.ssh.hostKeys: the first stage has one host key, of the kind ed25519; give one path."
    ]
  )

  (case "a host key in the store"
    [
      served
      { boot.chainboot.ssh.hostKeys = [ "/nix/store/00000000000000000000000000000000-host_key" ]; }
    ]
    [
      ''
        boot.chainboot.ssh.hostKeys: "/nix/store/00000000000000000000000000000000-host_key" is or would be in the Nix store,
        which everybody can read. Give the path on the machine, in quotes: "/etc/secrets/chainboot/host_key".''
    ]
  )

  (case "a host key as a path literal"
    [
      served
      { boot.chainboot.ssh.hostKeys = [ /etc/secrets/host_key ]; }
    ]
    [
      ''
        boot.chainboot.ssh.hostKeys: "/etc/secrets/host_key" is or would be in the Nix store,
        which everybody can read. Give the path on the machine, in quotes: "/etc/secrets/chainboot/host_key".''
    ]
  )

  (case "a host key's path that is not absolute"
    [
      served
      { boot.chainboot.ssh.hostKeys = [ "host_key" ]; }
    ]
    [ "boot.chainboot.ssh.hostKeys: \"host_key\" has to be an absolute path on the machine." ]
  )

  (case "a key of a role with options"
    [
      served
      { boot.chainboot.ssh.roles.boot = [ "restrict ${key "boris"}" ]; }
    ]
    [
      ''
        boot.chainboot.ssh.roles takes keys without options, which begin with their kind, such as ssh-ed25519:
        restrict ${key "boris"}''
    ]
  )

  (case "a key with two roles"
    [
      served
      { boot.chainboot.ssh.roles.view = [ "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIroot under another name" ]; }
    ]
    [
      ''
        A key has one role in the first stage, and these have several, or stand in boot.chainboot.ssh.authorizedKeys too
        (which holds root's keys unless it is set):
        ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIroot under another name''
    ]
  )

  (case "root's keys with options that cannot be kept"
    [
      served
      {
        users.users.root.openssh.authorizedKeys.keys = [
          ''from="192.0.2.0/24" ${key "from"}''
          ''command="rsync --server" ${key "rsync"}''
          ''command="chainboot list" ${key "list"}''
          ''command="chainboot login" ${key "roleless"}''
        ];
      }
    ]
    [
      ''
        The first stage cannot keep the options of these keys, which may be root's, and would not take the keys:
        from="192.0.2.0/24" ${key "from"}
        command="rsync --server" ${key "rsync"}
        command="chainboot list" ${key "list"}
        command="chainboot login" ${key "roleless"}
        Set boot.chainboot.ssh.authorizedKeys to the keys that may log in, without options or with
        command="chainboot login --role view" (or boot, edit, admin).''
    ]
  )

  (case "keys with options that are kept, and a key that root has twice"
    [
      served
      { users.users.root.openssh.authorizedKeys.keys = [ (key "root") ]; }
      {
        boot.chainboot.ssh.roles.view = [ (key "guest") ];
        users.users.root.openssh.authorizedKeys.keys = [
          "  # a comment"
          ""
          "restrict,pty ${key "a"}"
          ''no-X11-forwarding,Restrict,command="/usr/bin/chainboot login --key 7 --role=edit",no-touch-required ${key "b"}''
          ''command="/usr/sbin/ssh-session admin 3",no-port-forwarding  sk-ssh-ed25519@openssh.com AAAAGnNr c''
          "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIroot under another name"
        ];
      }
    ]
    [ ]
  )

  (case "a file without a source"
    [ { boot.chainboot.firstStage.extraFiles."/etc/motd" = { }; } ]
    [
      "boot.chainboot.firstStage.extraFiles.\"/etc/motd\" needs an absolute path, and either source or text."
    ]
  )

  (case "a file without an absolute path"
    [ { boot.chainboot.firstStage.extraFiles."etc/motd".text = "x"; } ]
    [
      "boot.chainboot.firstStage.extraFiles.\"etc/motd\" needs an absolute path, and either source or text."
    ]
  )

  (case "zipl on another machine, without zipl"
    [ { boot.chainboot.firstStage.install = "zipl"; } ]
    [
      ''
        boot.chainboot.firstStage.install = "zipl" is for IBM Z, and this system is for x86_64-linux.
        Set it to "none" and give the files of `chainboot-first-stage DIRECTORY` to the machine's own loader.''
      ''
        boot.chainboot.firstStage.install = "zipl" needs zipl, and nixpkgs has no s390-tools.
        Set boot.chainboot.firstStage.ziplPackage to a package with bin/zipl.''
    ]
  )

  (case "a login shell without sudo"
    [
      login
      { security.sudo.enable = false; }
    ]
    [
      ''
        boot.chainboot.loginShell lets one user run one program as root, through sudo, and there is none.
        Set security.sudo.enable = true; or security.sudo-rs.enable = true;''
    ]
  )

  (case "a login shell and sudo for wheel only"
    [
      login
      { security.sudo.execWheelOnly = true; }
    ]
    [
      ''
        boot.chainboot.loginShell needs sudo for the user boot, who cannot be in the group wheel.
        Set security.sudo.execWheelOnly = false;''
    ]
  )

  (case "a login shell and an old sudo-rs"
    [
      login
      (
        { pkgs, ... }:
        {
          security.sudo-rs.enable = true;
          security.sudo-rs.package = pkgs.sudo-rs // {
            version = "0.2.3";
          };
        }
      )
    ]
    [
      ''
        boot.chainboot.loginShell needs sudo-rs 0.2.4 or newer, which can keep variables for one user only.
        Set security.sudo.enable = true; and security.sudo-rs.enable = false;''
    ]
  )

  (case "a login shell and a sudo-rs that will do"
    [
      login
      (
        { pkgs, ... }:
        {
          security.sudo-rs.enable = true;
          security.sudo-rs.package = pkgs.sudo-rs // {
            version = "0.2.4";
          };
        }
      )
    ]
    [ ]
  )

  (case "root with the login shell"
    [
      login
      { boot.chainboot.loginShell.user = "root"; }
    ]
    [
      ''
        boot.chainboot.loginShell.user cannot be root: root would have no other shell to log in with.
        Choose another name; the program behind it runs as root anyway.''
    ]
  )

  (case "an administrator with the login shell"
    [
      login
      {
        boot.chainboot.loginShell.user = "alice";
        users.users.alice.isNormalUser = true;
        users.users.alice.extraGroups = [ "wheel" ];
      }
    ]
    [
      ''
        boot.chainboot.loginShell.user is alice, who is in the group wheel and would lose the shell:
        the menu takes its place. Choose another name, such as "boot", for a user who is not in wheel.''
    ]
  )

  (case "the same, by the group's list"
    [
      login
      {
        boot.chainboot.loginShell.user = "alice";
        users.users.alice.isNormalUser = true;
        users.groups.wheel.members = [ "alice" ];
      }
    ]
    [
      ''
        boot.chainboot.loginShell.user is alice, who is in the group wheel and would lose the shell:
        the menu takes its place. Choose another name, such as "boot", for a user who is not in wheel.''
    ]
  )

  (case "the same, by the primary group"
    [
      login
      {
        boot.chainboot.loginShell.user = "alice";
        users.users.alice.isNormalUser = true;
        users.users.alice.group = "wheel";
      }
    ]
    [
      ''
        boot.chainboot.loginShell.user is alice, who is in the group wheel and would lose the shell:
        the menu takes its place. Choose another name, such as "boot", for a user who is not in wheel.''
    ]
  )

  (case "keys of the login shell with options"
    [
      login
      {
        boot.chainboot.loginShell.authorizedKeys = [
          (key "bare")
          ''command="chainboot login --role edit" ${key "edit"}''
          ''command="internal-sftp" ${key "sftp"}''
          "port-forwarding ${key "forward"}"
          ''command="chainboot login --role view",port-forwarding ${key "comma"}''
          ''command="chainboot login --role admin" ${key "admin"}''
          ''command="chainboot login --role view" port-forwarding ${key "blank"}''
        ];
      }
    ]
    [
      ''
        boot.chainboot.loginShell.authorizedKeys takes keys without options, or with exactly
        command="chainboot login --role ROLE" and a blank before it, ROLE one of view, boot, edit:
        command="internal-sftp" ${key "sftp"}
        port-forwarding ${key "forward"}
        command="chainboot login --role view",port-forwarding ${key "comma"}
        command="chainboot login --role admin" ${key "admin"}
        command="chainboot login --role view" port-forwarding ${key "blank"}''
    ]
  )

  (case "a check of an SSH server, and a login over SSH, without one"
    [
      {
        boot.chainboot.trial.checks.sshd.enable = true;
        boot.chainboot.trial.confirm = "login";
      }
    ]
    [
      ''
        boot.chainboot.trial.checks.sshd waits for an SSH server, and there is none: no generation would be blessed.
        Set services.openssh.enable = true;''
      ''
        boot.chainboot.trial.confirm = "login" waits for a login over SSH, and there is no SSH server.
        Set services.openssh.enable = true; or confirm = "manual";''
    ]
  )
]
