# What the module does to a system: a fact of the configuration beside what it is expected to be.
{ nixpkgs }:
let
  nixos = import ./nixos.nix { inherit nixpkgs; };
  inherit (nixos) lib;

  chainboot = nixos.chainboot.nixosModules.default;
  extlinux.boot.loader.generic-extlinux-compatible.enable = true;
  key = name: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI${name} ${name}@example";

  plain = nixos.evaluate "x86_64" [
    extlinux
    { boot.loader.grub.enable = false; }
  ];
  imported = nixos.evaluate "x86_64" [
    extlinux
    chainboot
    { boot.loader.grub.enable = false; }
  ];
  everything = nixos.evaluate "x86_64" [
    chainboot
    ./everything.nix
  ];
  mirrored = nixos.evaluate "x86_64" [
    chainboot
    extlinux
    {
      options.boot.loader.generic-extlinux-compatible.mirroredBoots = lib.mkOption { };
      config.boot.loader.generic-extlinux-compatible.mirroredBoots = [
        { path = "/boot"; }
        { path = "/boot 2"; }
      ];
      config.boot.chainboot.enable = true;
      config.boot.chainboot.loginShell.enable = true;
      config.boot.chainboot.loginShell.user = "alice";
      config.users.users.alice.isNormalUser = true;
      config.boot.kernelParams = [
        "console=ttyS1"
        "quiet"
      ];
    }
  ];
  ibmZ = nixos.evaluate "s390x" [
    chainboot
    extlinux
    {
      boot.chainboot.enable = true;
      boot.initrd.systemd.enable = true;
    }
  ];

  # The text of a script that is known by its path only: it stands in the derivation. Without quotes, which newer
  # releases write only where they must be.
  script =
    path:
    lib.replaceStrings [ "'" ] [ "" ] (
      builtins.readFile (lib.head (lib.attrNames (builtins.getContext "${path}")))
    );
  holds = text: parts: map (part: if lib.hasInfix part text then part else "absent: ${part}") parts;

  # The same, where each of `parts` is expected.
  has = name: text: parts: {
    inherit name;
    expected = parts;
    got = holds text parts;
  };
  is = name: got: expected: { inherit name got expected; };

  format = import ../../../modules/settings-format.nix {
    inherit lib;
    buildPackages.callPackage = _: _: "PROGRAM";
    runCommand =
      _: _: text:
      text;
    writeText =
      name: text:
      "FILE(${text})";
  };
  rule = ../../../python/tmpfiles.d/chainboot.conf;
in
[
  (is "not enabled, it changes nothing" imported.config.system.build.toplevel.drvPath
    plain.config.system.build.toplevel.drvPath
  )

  (is "settings are lines that the program has to accept"
    (format.generate "chainboot.conf" {
      add_console = true;
      ip = "a b";
      installed = "";
      interfaces = [
        "eth0"
        "eth1"
      ];
      s390x.devices = [
        "dasd:0.0.0100"
        "qeth:0.0.0600"
      ];
      ssh_volume_keys = false;
      timeout_ds = 50;
    })
    (
      let
        file = "FILE(${
          lib.concatMapStrings (line: "${line}\n") [
            "add_console=1"
            "installed="
            "interfaces=eth0,eth1"
            "ip=a b"
            "s390x.devices=dasd:0.0.0100,qeth:0.0.0600"
            "ssh_volume_keys=0"
            "timeout_ds=50"
          ]
        })";
      in
      "PROGRAM/bin/chainboot check-settings ${file}\ncp ${file} $out\n"
    )
  )

  (is "the port of SSH is a setting" everything.config.boot.chainboot.settings.ssh_port 2222)

  (has "NixOS's own boot loader runs first" (script everything.config.system.build.installBootLoader)
    [
      "extlinux-conf-builder.sh -g 20 -t 5 -c \\\"$@\\\"; }"
      "ON_PROBLEM=fail\\n"
      "VOLUMES=/boot\\n"
      "LOADER=\\n"
    ]
  )

  (has "every mirrored volume is checked" (script mirrored.config.system.build.installBootLoader) [
    "VOLUMES=/boot\\n/boot 2\\n"
    "ON_PROBLEM=warn\\n"
  ])

  (is "the consoles are those of the system" mirrored.config.system.build.chainbootFirstStage.cmdline
    "console=ttyS1"
  )

  (has "the host key is a path, and no part of the image"
    (script everything.config.system.build.chainbootFirstStage.writer)
    [ "HOST_KEY=/etc/secrets/chainboot/host_key\\n" ]
  )

  (has "one rule of sudo, and what is kept for it" everything.config.security.sudo.configFile [
    "operator     ALL=(root)    NOPASSWD: /nix/store/"
    ''Defaults:operator env_reset, env_keep += "SSH_CONNECTION SSH_CLIENT SSH_ORIGINAL_COMMAND TERM"''
  ])

  (is "the keys of the login shell can do nothing else"
    everything.config.users.users.operator.openssh.authorizedKeys.keys
    [
      ''restrict,pty,command="chainboot login --role view" ${key "operator"}''
      ''restrict,pty,command="chainboot login --role view" ${key "guest"}''
    ]
  )

  (is "the user is made" {
    inherit (everything.config.users.users.operator) isSystemUser isNormalUser group;
    groups = everything.config.users.groups ? operator;
  } {
    isSystemUser = true;
    isNormalUser = false;
    group = "operator";
    groups = true;
  })

  (is "a user who exists stays who they are" {
    inherit (mirrored.config.users.users.alice) isSystemUser isNormalUser group;
    groups = mirrored.config.users.groups ? alice;
  } {
    isSystemUser = false;
    isNormalUser = true;
    group = "users";
    groups = false;
  })

  (has "the login shell is a shell" everything.config.environment.etc.shells.text [
    "/run/current-system/sw/bin/chainboot-login-shell\n"
  ])

  (is "kexec is there" (lib.any (
    package: lib.getName package == "kexec-tools"
  ) everything.config.environment.systemPackages) true)

  (is "a panic on IBM Z brings the first stage back"
    {
      system = builtins.readFile ibmZ.config.environment.etc."tmpfiles.d/chainboot.conf".source;
      initrd =
        builtins.readFile
          ibmZ.config.boot.initrd.systemd.contents."/etc/tmpfiles.d/chainboot.conf".source;
      elsewhere = everything.config.environment.etc ? "tmpfiles.d/chainboot.conf";
    }
    {
      system = builtins.readFile rule;
      initrd = builtins.readFile rule;
      elsewhere = false;
    }
  )
]
