# A user of the running system whose login shell is chainboot. Knows how an ordinary user's shell gets to a program
# that may kexec; what that program does is `chainboot login-shell`'s business.
{
  config,
  lib,
  options,
  pkgs,
  ...
}:
let
  cfg = config.boot.chainboot;
  inherit (cfg) loginShell;
  inherit (lib) types;
  inherit (import ./keys.nix { inherit lib; }) isBare withRole;
  inherit (config.security) sudo;
  sudo-rs = config.security.sudo-rs or { enable = false; };

  roles = [
    "view"
    "boot"
    "edit"
  ];

  # What sshd says of the client, and the kind of terminal. Nothing else of the user's environment reaches root.
  kept = [
    "SSH_CONNECTION"
    "SSH_CLIENT"
    "SSH_ORIGINAL_COMMAND"
    "TERM"
  ];

  # The one program that the user may run as root.
  privileged = pkgs.writeTextFile {
    name = "chainboot-login-shell-root";
    executable = true;
    text = ''
      #!${pkgs.runtimeShell}
      CHAINBOOT=${cfg.package}/bin/chainboot
      ENV=${pkgs.coreutils}/bin/env
      PROGRAMS=/run/current-system/sw/bin
      ROLE=${loginShell.role}
      ${builtins.readFile ./login-shell-root.sh}'';
  };

  shell = pkgs.writeTextFile {
    name = "chainboot-login-shell";
    executable = true;
    destination = "/bin/chainboot-login-shell";
    text = ''
      #!${pkgs.runtimeShell}
      # The login shell: all of it runs as root, by the one rule that sudo has for this user.
      exec ${config.security.wrapperDir}/sudo -n -- ${privileged} "$@"
    '';
    derivationArgs.passthru.shellPath = "/bin/chainboot-login-shell";
    meta.mainProgram = "chainboot-login-shell";
  };

  # Every other option could bring forwarding back, or, as another command, keep the files of the machine open.
  isTaken =
    key:
    isBare key
    || lib.any (
      role:
      let
        forced = withRole role "";
      in
      lib.hasPrefix forced key && isBare (lib.removePrefix forced key)
    ) roles;

  refused = lib.filter (key: !isTaken key) loginShell.authorizedKeys;

  # By its primary group, by his own list or by that of the group, which NixOS makes one.
  inWheel =
    config.users.users.${loginShell.user}.group == "wheel"
    || lib.elem loginShell.user config.users.groups.wheel.members;

  # No forwarding, no file transfer, whatever sshd is configured to allow.
  restricted =
    key:
    "restrict,pty,${if isBare key then withRole loginShell.role key else key}";

  rule = {
    users = [ loginShell.user ];
    runAs = "root";
    commands = [
      {
        command = "${privileged}";
        options = [ "NOPASSWD" ];
      }
    ];
  };
  defaults = ''Defaults:${loginShell.user} env_reset, env_keep += "${lib.concatStringsSep " " kept}"'';
in
{
  _file = ./login-shell.nix;

  options.boot.chainboot.loginShell = {
    enable = lib.mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = ''
        Whether there is a user whose login shell is chainboot on the running system: `ssh boot@machine` opens the menu,
        and a chosen entry is booted by `systemctl kexec`, so that services stop in order.
      '';
    };

    user = lib.mkOption {
      type = types.strMatching "[a-z_][a-z0-9_-]{0,30}";
      default = "boot";
      example = "operator";
      description = ''
        The name of that user. It is made if no other module has it. Of one that is there the shell is replaced: it has
        the menu and no other, so it can be neither root nor a member of the group wheel.
      '';
    };

    role = lib.mkOption {
      type = types.enum roles;
      default = "boot";
      example = "view";
      description = ''
        The most that anyone may do through this shell: `view` looks, `boot` boots an entry as it is, `edit` also changes
        the command line for one boot, which is as good as root. Nobody gets a shell by it. A key may have a narrower
        role by its forced command.
      '';
    };

    authorizedKeys = lib.mkOption {
      type = types.listOf types.singleLineStr;
      default = [ ];
      example = [
        "ssh-ed25519 AAAAC3NzaCetcetera/etceteraJZMfk3QPfQ foo@bar"
        ''command="chainboot login --role view" ssh-ed25519 AAAAC3NzaCetcetera/etceteraJZMfk3QPfQ guest@bar''
      ];
      description = ''
        Keys that may log in as that user, over the SSH of the running system. They get the menu and nothing else: no
        forwarding and no file transfer. In front of a key may stand exactly
        `command="chainboot login --role ROLE"`, with `view`, `boot` or `edit`; no other option is taken.
      '';
    };

    package = lib.mkOption {
      type = types.shellPackage;
      default = shell;
      defaultText = lib.literalMD "a script that runs `chainboot login-shell` through `sudo`";
      description = "The login shell, as a package with `passthru.shellPath`.";
    };
  };

  config = lib.mkIf (cfg.enable && loginShell.enable) (
    lib.mkMerge [
      {
        assertions = [
          {
            assertion = sudo.enable || sudo-rs.enable;
            message = ''
              boot.chainboot.loginShell lets one user run one program as root, through sudo, and there is none.
              Set security.sudo.enable = true; or security.sudo-rs.enable = true;
            '';
          }
          {
            assertion =
              !(sudo.enable && sudo.execWheelOnly) && !(sudo-rs.enable && sudo-rs.execWheelOnly or false);
            message = ''
              boot.chainboot.loginShell needs sudo for the user ${loginShell.user}, who cannot be in the group wheel.
              Set security.${if sudo.enable then "sudo" else "sudo-rs"}.execWheelOnly = false;
            '';
          }
          {
            # Its changes for 0.2.4: "Support for host/user/runas/command-specific Defaults".
            assertion = !sudo-rs.enable || lib.versionAtLeast (lib.getVersion sudo-rs.package) "0.2.4";
            message = ''
              boot.chainboot.loginShell needs sudo-rs 0.2.4 or newer, which can keep variables for one user only.
              Set security.sudo.enable = true; and security.sudo-rs.enable = false;
            '';
          }
          {
            assertion = loginShell.user != "root";
            message = ''
              boot.chainboot.loginShell.user cannot be root: root would have no other shell to log in with.
              Choose another name; the program behind it runs as root anyway.
            '';
          }
          {
            assertion = !inWheel;
            message = ''
              boot.chainboot.loginShell.user is ${loginShell.user}, who is in the group wheel and would lose the shell:
              the menu takes its place. Choose another name, such as "boot", for a user who is not in wheel.
            '';
          }
          {
            assertion = refused == [ ];
            message = ''
              boot.chainboot.loginShell.authorizedKeys takes keys without options, or with exactly
              command="chainboot login --role ROLE" and a blank before it, ROLE one of ${lib.concatStringsSep ", " roles}:
              ${lib.concatStringsSep "\n" refused}
            '';
          }
        ];

        users.users.${loginShell.user} = {
          # Weaker than what anybody else says, for the user may be one that exists.
          description = lib.mkOverride 1200 "the boot menu";
          isSystemUser = lib.mkOverride 1200 (!config.users.users.${loginShell.user}.isNormalUser);
          group = lib.mkOverride 1200 loginShell.user;
          shell = loginShell.package;
          openssh.authorizedKeys.keys = map restricted loginShell.authorizedKeys;
        };
        users.groups = lib.mkIf (config.users.users.${loginShell.user}.group == loginShell.user) {
          ${loginShell.user} = { };
        };

        environment.shells = [ loginShell.package ];
        environment.systemPackages = [ pkgs.kexec-tools ];

        security.sudo = lib.mkIf sudo.enable {
          extraRules = [ rule ];
          extraConfig = defaults;
        };
      }
      (lib.optionalAttrs (options ? security.sudo-rs) {
        security.sudo-rs = lib.mkIf sudo-rs.enable {
          extraRules = [ rule ];
          extraConfig = defaults;
        };
      })
      # An option of newer releases; before, it was on wherever kexec-tools were available.
      (lib.optionalAttrs (options ? boot.kexec.enable) { boot.kexec.enable = lib.mkDefault true; })
    ]
  );
}
