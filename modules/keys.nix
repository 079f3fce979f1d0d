# Lines of authorized_keys, as the options of this module take them. Knows their form, not what they may do.
{ lib }:
{
  # Whether a key has no options of its own: it begins with its kind (sshd(8), AUTHORIZED_KEYS FILE FORMAT).
  isBare = key: lib.any (kind: lib.hasPrefix kind key) [
    "ssh-"
    "ecdsa-"
    "sk-"
  ];

  # A bare key that may do what `role` may, in the first stage and through the login shell alike.
  withRole = role: key: ''command="chainboot login --role ${role}" ${key}'';
}
