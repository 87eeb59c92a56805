# Stand-in for the SDK: as much as reading our Makefiles and installing a package's files needs.
INCLUDE_DIR:=$(TOPDIR)/include
INSTALL_DIR:=mkdir -p
CP:=cp -R
PKG_BUILD_DIR:=$(BUILD)/source
PKG_INSTALL_DIR:=$(BUILD)/installed
