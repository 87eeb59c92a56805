RUST_ARCH_DEPENDS:=@(mips||mipsel)
define RustBinPackage
$(if $(Package/$(1)/install),,$(error $(1) has no install of its own))
endef
