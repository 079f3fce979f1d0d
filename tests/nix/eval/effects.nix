# What the module does to a system: a fact of the configuration beside what it is expected to be.
{ nixpkgs, document }:
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
  withSystemdInitrd = nixos.evaluate "x86_64" [
    chainboot
    extlinux
    {
      boot.chainboot.enable = true;
      boot.initrd.systemd.enable = true;
    }
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
    (
      { pkgs, ... }:
      {
        boot.kernelPackages = pkgs.linuxPackages_latest;
        boot.initrd.availableKernelModules = [
          "made_up_disk"
          "made_up_bus"
        ];
        boot.initrd.kernelModules = [ "made_up_disk" ];
        boot.chainboot.check.enable = false;
        boot.chainboot.firstStage.directory = "/boot/it's mine";
        boot.chainboot.ssh.enable = true;
        boot.chainboot.ssh.roles.view = [ (key "guest") ];
        users.users.root.openssh.authorizedKeys.keys = [
          "restrict,pty ${key "root"}"
          (key "root")
          (key "other")
        ];
      }
    )
    { users.users.root.openssh.authorizedKeys.keys = [ "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIroot again" ]; }
  ];
  ibmZ = nixos.evaluate "s390x" [
    chainboot
    extlinux
    {
      boot.chainboot.enable = true;
      boot.chainboot.trial.enable = false;
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
  # The spec that the image is made from.
  spec =
    image:
    builtins.readFile (
      lib.head (
        lib.filter (lib.hasSuffix "-image-spec.json.drv") (
          lib.attrNames (builtins.getContext image.buildCommand)
        )
      )
    );
  unit = system: name: system.config.systemd.units.${name}.text;
  times = part: text: lib.length (lib.splitString part text) - 1;

  shown = import document {
    chainboot = nixos.flake;
    inherit nixpkgs;
  };

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
      "DIRECTORY=/boot/first stage\\n"
    ]
  )

  (has "every mirrored volume is known, and the first stage is written without a check"
    (script mirrored.config.system.build.installBootLoader)
    [
      "VOLUMES=/boot\\n/boot 2\\n"
      "ON_PROBLEM=ignore\\n"
      "LOADER=\\n"
      # Without the quotes that the shell needs: /boot/it's mine
      "DIRECTORY=/boot/it\\\\s mine\\n"
      "-chainboot-first-stage/bin/chainboot-first-stage\\n"
    ]
  )

  (is "the kernel is the one that the system has"
    mirrored.config.boot.chainboot.firstStage.image.kernel.drvPath
    mirrored.config.boot.kernelPackages.kernel.drvPath
  )

  (is "what was found on the machine is in the image, once"
    (map (name: times "\\\"${name}\\\"" (spec mirrored.config.boot.chainboot.firstStage.image)) [
      "made_up_disk"
      "made_up_bus"
    ])
    [
      1
      1
    ]
  )

  (is "of a key that is there twice the first line counts" mirrored.config.boot.chainboot.ssh.lines [
    ''command="chainboot login --role view" ${key "guest"}''
    "restrict,pty ${key "root"}"
    (key "other")
  ])

  (is "a first stage without the module" {
    inherit (shown) cmdline;
    isImage = lib.hasSuffix "-chainboot-initrd/initrd" shown.initrd;
    isKernel = lib.hasSuffix "/bzImage" shown.kernel;
  } {
    cmdline = "console=ttyS0,115200n8";
    isImage = true;
    isKernel = true;
  })

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

  (has "a trial has its deadline, and says what was missing"
    (unit everything "chainboot-deadline.timer" + unit everything "chainboot-deadline.service")
    [
      "OnBootSec=\nOnBootSec=300s\n"
      "ExecStart=\nExecStart=/nix/store/"
      "/bin/chainboot expire --why 'nobody confirmed it' --reboot\n"
    ]
  )

  (has "whose login counts" (unit everything "chainboot-login.service") [
    "/bin/chainboot confirm --by-login --besides operator\n"
  ])

  (is "what is started, and what has to be well" {
    bless = everything.config.systemd.units."chainboot-bless.service".wantedBy;
    timer = everything.config.systemd.units."chainboot-deadline.timer".wantedBy;
    path = everything.config.systemd.units."chainboot-login.path".wantedBy;
    checks = lib.filter (
      name: everything.config.systemd.units.${name}.requiredBy == [ "boot-complete.target" ]
    ) (lib.attrNames everything.config.systemd.units);
    target = everything.config.systemd.units ? "boot-complete.target";
  } {
    bless = [ "multi-user.target" ];
    timer = [ "sysinit.target" ];
    path = [ "paths.target" ];
    checks = [
      "chainboot-check-name@a-b.example.org.service"
      "chainboot-check-name@example.org.service"
      "chainboot-check-route.service"
      "chainboot-check-sshd.service"
    ];
    target = true;
  })

  (has "what a person has to confirm is not blessed by itself" (unit everything "chainboot-bless.service")
    [ "ConditionKernelCommandLine=!chainboot.trial\n" ]
  )

  (is "without a person" {
    deadline = mirrored.config.boot.chainboot.trial.deadline;
    blesses = lib.hasInfix "ConditionKernelCommandLine" (unit mirrored "chainboot-bless.service");
    login = mirrored.config.systemd.units ? "chainboot-login.path";
    tries = mirrored.config.boot.chainboot.settings ? tries;
    inherit (mirrored.config.boot.chainboot.settings) trial_append;
  } {
    deadline = 600;
    blesses = false;
    login = false;
    tries = false;
    trial_append = "boot.panic_on_fail";
  })

  (is "a trial whose initrd is systemd's panics there too" withSystemdInitrd.config.boot.chainboot.settings.trial_append
    "boot.panic_on_fail"
  )

  (is "turned off, nothing is counted and nothing runs" {
    inherit (ibmZ.config.boot.chainboot.settings) tries;
    units = lib.filter (lib.hasPrefix "chainboot-") (lib.attrNames ibmZ.config.systemd.units);
  } {
    tries = 0;
    units = [ ];
  })

  (is "a watchdog is fed" everything.config.systemd.watchdog.runtimeTime "30s")

  (has "the units are those of any systemd"
    (builtins.readFile (
      lib.head (
        lib.filter (lib.hasSuffix "-chainboot-units.drv") (
          lib.concatMap (package: lib.attrNames (builtins.getContext "${package}")) everything.config.systemd.packages
        )
      )
    ))
    [
      "s|/usr/bin/chainboot|/nix/store/"
      "/bin/chainboot|"
      "s|/usr/lib/chainboot/|/nix/store/"
    ]
  )

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
