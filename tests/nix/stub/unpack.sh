# shellcheck shell=bash disable=SC2154
# Functions for the packages of debian.nix; the .deb files are unpacked when this is read.

mkdir files
# No --extract: the sandbox refuses the set-user-ID bits that some programs come with.
for deb in $debs; do dpkg-deb --fsys-tarfile "$deb" | tar -x -C files --no-same-permissions; done
cd files || exit
mkdir -p "$out"

# The shared libraries of the packages, side by side.
libraries() {
	mkdir "$out/lib"
	find lib usr/lib -mindepth 2 -maxdepth 2 -name '*.so*' \( -type f -o -type l \) -exec cp -P {} "$out/lib" \;
}

# The programs of the packages, side by side, as nixpkgs has them: sbin is another name of bin.
programs() {
	local directory
	mkdir "$out/bin"
	ln -s bin "$out/sbin"
	for directory in bin sbin usr/bin usr/sbin; do
		if [ -d "$directory" ]; then cp -P "$directory"/* "$out/bin"; fi
	done
}

# Names this package's own libraries, those of the packages it was given, and the loader, by their store paths.
patch_elf() {
	local file own=
	if [ -d "$out/lib" ]; then own=$out/lib:; fi
	find "$1" -type f \( -perm -0100 -o -name '*.so*' \) | while IFS= read -r file; do
		[ "$(head -c 4 "$file" | tr -d '\0')" = $'\177ELF' ] || continue
		# What is linked statically has no loader and needs nothing.
		if patchelf --print-interpreter "$file" >/dev/null 2>&1; then
			patchelf --set-interpreter "$interpreter" "$file"
		fi
		if [ -n "$(patchelf --print-needed "$file" 2>/dev/null)" ]; then
			patchelf --set-rpath "$own${searched// /:}" "$file"
			patchelf --shrink-rpath "$file"
		fi
	done
}
