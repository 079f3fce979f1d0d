# SSH to the first stage: who may log in, as what, and with which host key. Follows boot.initrd.network.ssh in names
# and refusals. Knows nothing of SSH to the running system (login-shell.nix).
{
  config,
  lib,
  ...
}:
let
  cfg = config.boot.chainboot;
  inherit (cfg) ssh;
  inherit (lib) types;
  inherit (import ./keys.nix { inherit lib; }) isBare withRole;

  root = config.users.users.root.openssh.authorizedKeys;

  keys = types.listOf types.singleLineStr;

  roles = {
    view = "look: `list`, `show`, `plan`, `status`, `log`";
    boot = "also boot an entry as it is, and stop the countdown";
    edit = "also change the command line for one boot, which is as good as root";
    admin = "also open a shell";
  };

  roleLines = lib.concatMap (role: map (withRole role) ssh.roles.${role}) (lib.attrNames roles);

  roleKeys = lib.concatMap (role: ssh.roles.${role}) (lib.attrNames roles);

  # The same key twice would be two answers to what it may do: its base64 is what counts, not its comment.
  blob = key: lib.findFirst (word: lib.hasPrefix "AAAA" word) key (lib.splitString " " key);

  # Root's keys may come from several modules, and sshd takes the first line of a key, too.
  once = lib.foldl' (
    kept: key: if lib.any (other: blob other == blob key) kept then kept else kept ++ [ key ]
  ) [ ];

  # What the first stage can keep of the options in front of a key; chainboot/remote/key_options.py has the last word,
  # at build. In small letters, as names of options may be written in any.
  options =
    let
      blank = "[[:space:]]+";
      role = "--role(=|${blank})(${lib.concatStringsSep "|" (lib.attrNames roles)})";
      number = "--key(=|${blank})[0-9]+";
      program = "(/usr/bin/)?chainboot${blank}login(${blank}${number})?${blank}${role}(${blank}${number})?";
      session = "/usr/sbin/ssh-session${blank}[a-z]+${blank}[0-9]+";
      command = "command=\"[[:space:]]*(${program}|${session})[[:space:]]*\"";
      plain = "restrict|pty|no-pty|no-touch-required|(no-)?(port|agent|x11)-forwarding|(no-)?user-rc";
      one = "(${plain}|${command})";
    in
    "${one}(,${one})*";

  # Lines of authorized_keys without a key are none of ours.
  isTaken =
    key:
    isBare key
    || builtins.match "[[:space:]]*(#.*)?" key != null
    || builtins.match "[[:space:]]*((${options})[[:space:]]+)?(ssh|ecdsa|sk)-.*" (lib.toLower key) != null;

  refused = lib.filter (key: !isTaken key) ssh.authorizedKeys;

  twice =
    let
      all = map blob (roleKeys ++ ssh.authorizedKeys);
    in
    lib.filter (key: lib.count (other: other == blob key) all > 1) roleKeys;

  inStore = path: builtins.isPath path || lib.hasPrefix "${builtins.storeDir}/" (toString path);

  keyless = ssh.lines == [ ] && ssh.authorizedKeyFiles == [ ];

  # Without a key in the image there is no network, unless the keys of the boot volume are to count.
  volumeKeys = lib.elem (cfg.settings.ssh_volume_keys or 0) [
    1
    true
    "1"
  ];

  quoted = lib.concatMapStringsSep ", " (path: "\"${toString path}\"");
in
{
  _file = ./ssh.nix;

  options.boot.chainboot.ssh = {
    enable = lib.mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = "Whether the first stage can be reached over SSH. It serves keys only, and the menu is the login shell.";
    };

    port = lib.mkOption {
      type = types.port;
      default = 22;
      example = 2222;
      description = ''
        Where the first stage's SSH server listens. The first stage has a host key of its own: with a port of its own,
        `ssh` does not take one for the other.
      '';
    };

    hostKeys = lib.mkOption {
      type = types.listOf (types.either types.str types.path);
      default = [ ];
      example = [ "/etc/secrets/chainboot/host_key" ];
      description = ''
        The host key of the first stage, as a path on the machine: one ed25519 key, made as root with

        ```
        ssh-keygen -t ed25519 -N "" -f /etc/secrets/chainboot/host_key
        ```

        It is added to the initrd on the machine, when the first stage is installed or written by
        `chainboot-first-stage`, and is never in the Nix store. Do not use the running system's key: whoever can read
        the boot volume can read this one. Without a key, the first stage makes one at its first boot and keeps it on
        the boot volume.
      '';
    };

    ignoreEmptyHostKeys = lib.mkOption {
      type = types.bool;
      default = true;
      example = false;
      description = ''
        Whether {option}`boot.chainboot.ssh.hostKeys` may be empty. The first stage then makes a host key by itself, at
        its first boot.
      '';
    };

    authorizedKeys = lib.mkOption {
      type = keys;
      default = root.keys;
      defaultText = lib.literalExpression "config.users.users.root.openssh.authorizedKeys.keys";
      example = [ "ssh-ed25519 AAAAC3NzaCetcetera/etceteraJZMfk3QPfQ foo@bar" ];
      description = ''
        Keys that may log in to the first stage. One without a forced command has the role of the setting `ssh_role`,
        which is `admin` unless set. Of a key that is there twice the first line counts. A key whose options cannot be
        kept, such as `from=` or another program's `command=`, is refused.
      '';
    };

    authorizedKeyFiles = lib.mkOption {
      type = types.listOf types.path;
      default = root.keyFiles;
      defaultText = lib.literalExpression "config.users.users.root.openssh.authorizedKeys.keyFiles";
      example = lib.literalExpression "[ ./admins.pub ]";
      description = "Files with keys that may log in to the first stage, as in {option}`boot.chainboot.ssh.authorizedKeys`.";
    };

    roles = lib.mapAttrs (
      _: may:
      lib.mkOption {
        type = keys;
        default = [ ];
        example = [ "ssh-ed25519 AAAAC3NzaCetcetera/etceteraJZMfk3QPfQ foo@bar" ];
        description = "Keys that may ${may}. They are written without options of their own.";
      }
    ) roles;

    lines = lib.mkOption {
      type = types.listOf types.str;
      internal = true;
      readOnly = true;
      default = roleLines ++ once ssh.authorizedKeys;
      description = "All keys that are given here, as lines of authorized_keys.";
    };
  };

  config = lib.mkIf (cfg.enable && ssh.enable) {
    assertions = [
      {
        assertion = cfg.firstStage.enable;
        message = ''
          boot.chainboot.ssh is the way into the first stage, and there is none: boot.chainboot.firstStage.enable is false.
          For a menu over the running system's SSH set boot.chainboot.loginShell.enable = true;
        '';
      }
      {
        assertion = !keyless || volumeKeys;
        message = ''
          You should specify at least one authorized key for the first stage's SSH: in boot.chainboot.ssh.authorizedKeys,
          boot.chainboot.ssh.roles, boot.chainboot.ssh.authorizedKeyFiles or users.users.root.openssh.authorizedKeys.keys.
        '';
      }
      {
        assertion = ssh.hostKeys != [ ] || ssh.ignoreEmptyHostKeys;
        message = ''
          You must pre-generate a host key for the first stage's SSH and give its path in boot.chainboot.ssh.hostKeys.
          With boot.chainboot.ssh.ignoreEmptyHostKeys = true; the first stage makes one at its first boot.
        '';
      }
      {
        assertion = lib.length ssh.hostKeys <= 1;
        message = "boot.chainboot.ssh.hostKeys: the first stage has one host key, of the kind ed25519; give one path.";
      }
      {
        assertion = !lib.any inStore ssh.hostKeys;
        message = ''
          boot.chainboot.ssh.hostKeys: ${quoted (lib.filter inStore ssh.hostKeys)} is or would be in the Nix store,
          which everybody can read. Give the path on the machine, in quotes: "/etc/secrets/chainboot/host_key".
        '';
      }
      {
        assertion = lib.all (path: lib.hasPrefix "/" (toString path)) ssh.hostKeys;
        message = "boot.chainboot.ssh.hostKeys: ${quoted ssh.hostKeys} has to be an absolute path on the machine.";
      }
      {
        assertion = lib.all isBare roleKeys;
        message = ''
          boot.chainboot.ssh.roles takes keys without options, which begin with their kind, such as ssh-ed25519:
          ${lib.concatStringsSep "\n" (lib.filter (key: !isBare key) roleKeys)}
        '';
      }
      {
        assertion = refused == [ ];
        message = ''
          The first stage cannot keep the options of these keys, which may be root's, and would not take the keys:
          ${lib.concatStringsSep "\n" refused}
          Set boot.chainboot.ssh.authorizedKeys to the keys that may log in, without options or with
          command="chainboot login --role view" (or boot, edit, admin).
        '';
      }
      {
        assertion = twice == [ ];
        message = ''
          A key has one role in the first stage, and these have several, or stand in boot.chainboot.ssh.authorizedKeys too
          (which holds root's keys unless it is set):
          ${lib.concatStringsSep "\n" (lib.unique twice)}
        '';
      }
    ];

    boot.chainboot.settings.ssh_port = lib.mkDefault ssh.port;
  };
}
