# The running system's side of trial boots: the units that bless an entry, that give it up, and what must be well before.
# Knows which units run and when; what they do is chainboot's business, and how often an entry may be tried that of the
# first stage (boot.chainboot.settings).
{
  config,
  lib,
  options,
  pkgs,
  ...
}:
let
  cfg = config.boot.chainboot;
  inherit (cfg) trial;
  inherit (lib) types;

  chainboot = "${cfg.package}/bin/chainboot";

  # The units as any systemd takes them; only where the programs are is NixOS's own.
  units = pkgs.runCommand "chainboot-units" { } ''
    mkdir -p $out/lib/systemd/system
    for unit in ${../python/systemd}/*; do
      sed -e 's|/usr/bin/chainboot|${chainboot}|' -e 's|/usr/lib/chainboot/|${../python/health}/|' \
        "$unit" >$out/lib/systemd/system/"''${unit##*/}"
    done
  '';

  automatic = trial.confirm == "automatic";
  byLogin = trial.confirm == "login";

  missing = if automatic then "not blessed" else "nobody confirmed it";

  # They say something of one boot: a switch to another configuration is none.
  ofOneBoot = {
    restartIfChanged = false;
    stopIfChanged = false;
  };

  required = path: ofOneBoot // {
    inherit path;
    requiredBy = [ "boot-complete.target" ];
  };

  # Where settings of systemd itself are said: an attribute set in newer releases.
  runtimeTime = "${toString trial.watchdog.seconds}s";
  watchdog =
    if options ? systemd.settings then
      { settings.Manager.RuntimeWatchdogSec = lib.mkDefault runtimeTime; }
    else
      { watchdog.runtimeTime = lib.mkDefault runtimeTime; };
in
{
  _file = ./trial.nix;

  options.boot.chainboot.trial = {
    enable = lib.mkOption {
      type = types.bool;
      default = true;
      example = false;
      description = ''
        Whether a new generation is on trial until it has proved itself: one that does not come up gives way to the newest
        one that is known to be good. Turned off, the first stage counts nothing either (its setting `tries` is 0 then,
        unless you set it).
      '';
    };

    confirm = lib.mkOption {
      type = types.enum [
        "automatic"
        "manual"
        "login"
      ];
      default = "automatic";
      example = "manual";
      description = ''
        What proves that a generation on trial is good. `automatic`: {file}`boot-complete.target` is reached, and with it
        everything that is required by it. `manual`: somebody runs `chainboot confirm`. `login`: that, or anyone other
        than {option}`boot.chainboot.loginShell.user` logs in over SSH.
      '';
    };

    deadline = lib.mkOption {
      type = types.ints.between 30 86400;
      default = if automatic then 600 else 900;
      defaultText = lib.literalMD "600, and 900 where a person confirms";
      example = 300;
      description = ''
        Seconds from the start of its kernel in which a generation on trial has to prove itself. After that the machine
        restarts.
      '';
    };

    checks = {
      defaultRoute.enable = lib.mkEnableOption "the health check that the router of the default route answers";

      sshd.enable = lib.mkEnableOption "the health check that the SSH server greets on this machine";

      resolve = lib.mkOption {
        type = types.listOf (types.strMatching "[A-Za-z0-9][A-Za-z0-9._-]*");
        default = [ ];
        example = [ "example.org" ];
        description = "Names that have to resolve before a generation on trial is blessed.";
      };
    };

    watchdog = {
      enable = lib.mkOption {
        type = types.bool;
        default = true;
        example = false;
        description = ''
          Whether systemd feeds a hardware watchdog, if the machine has one, so that a system that hangs is restarted.
          What the first stage has armed is fed with it from then on. On IBM Z it is the machine's own (diag288).
        '';
      };

      seconds = lib.mkOption {
        type = types.ints.between 10 3600;
        default = 60;
        example = 30;
        description = "Seconds without a sign of life of systemd after which the watchdog resets the machine.";
      };
    };
  };

  config = lib.mkIf cfg.enable (
    lib.mkMerge [
      (lib.mkIf (!trial.enable) {
        # A record that is there from before must not be counted in, for nothing blesses any more.
        boot.chainboot.settings.tries = lib.mkDefault 0;
      })

      (lib.mkIf trial.enable {
        # NixOS's initrds ask at the console what to do where they cannot go on; with this they panic, which restarts:
        # the script by itself, the one with systemd by its panic-on-fail.service, wanted by emergency.target.
        boot.chainboot.settings.trial_append = lib.mkDefault "boot.panic_on_fail";
      })

      (lib.mkIf trial.enable {
        systemd = lib.mkMerge [
          {
            packages = [ units ];

            # A unit of systemd's own that not every release has.
            targets.boot-complete = {
              description = "Boot Completion Check";
              requires = [ "sysinit.target" ];
              after = [ "sysinit.target" ];
            };

            services = {
              # Where a person confirms, boots of entries that are good already are still counted.
              chainboot-bless = ofOneBoot // {
                wantedBy = [ "multi-user.target" ];
                unitConfig = lib.mkIf (!automatic) { ConditionKernelCommandLine = "!chainboot.trial"; };
              };

              chainboot-deadline = ofOneBoot // {
                serviceConfig.ExecStart = [
                  ""
                  "${chainboot} expire --why ${lib.escapeShellArg missing} --reboot"
                ];
              };
            };

            timers.chainboot-deadline = {
              wantedBy = [ "sysinit.target" ];
              timerConfig.OnBootSec = [
                ""
                "${toString trial.deadline}s"
              ];
            };
          }

          (lib.mkIf byLogin {
            paths.chainboot-login.wantedBy = [ "paths.target" ];
            services.chainboot-login = ofOneBoot // {
              serviceConfig.ExecStart = [
                ""
                "${chainboot} confirm --by-login${
                  lib.optionalString cfg.loginShell.enable " --besides ${cfg.loginShell.user}"
                }"
              ];
            };
          })

          (lib.mkIf trial.checks.defaultRoute.enable {
            services.chainboot-check-route = required [
              pkgs.iproute2
              pkgs.iputils
            ];
          })

          (lib.mkIf trial.checks.sshd.enable {
            services.chainboot-check-sshd = required [ pkgs.openssh ] // {
              serviceConfig.ExecStart = [
                ""
                "${../python/health}/check-sshd ${toString (lib.head (config.services.openssh.ports ++ [ 22 ]))}"
              ];
            };
          })

          {
            services = lib.listToAttrs (
              map (name: {
                name = "chainboot-check-name@${name}";
                value = required [ pkgs.getent ] // {
                  overrideStrategy = "asDropin";
                };
              }) trial.checks.resolve
            );
          }

          (lib.mkIf trial.watchdog.enable watchdog)
        ];

        # No device asks for this one.
        boot.kernelModules = lib.mkIf (trial.watchdog.enable && pkgs.stdenv.hostPlatform.isS390x) [
          "diag288_wdt"
        ];

        assertions = [
          {
            assertion = trial.checks.sshd.enable -> config.services.openssh.enable;
            message = ''
              boot.chainboot.trial.checks.sshd waits for an SSH server, and there is none: no generation would be blessed.
              Set services.openssh.enable = true;
            '';
          }
          {
            assertion = byLogin -> config.services.openssh.enable;
            message = ''
              boot.chainboot.trial.confirm = "login" waits for a login over SSH, and there is no SSH server.
              Set services.openssh.enable = true; or confirm = "manual";
            '';
          }
        ];
      })
    ]
  );
}
