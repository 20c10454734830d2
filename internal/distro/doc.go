// Package distro says what would give the names that files lack on this machine's distribution: the package with their
// debug symbols, by one question to dpkg or rpm for all of them, or the debug file to look for. It installs nothing,
// and looks up no names.
package distro
