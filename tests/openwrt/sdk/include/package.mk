# Like the SDK: a package's fields are variables that its define sets, its scripts go through the environment.
define BuildPackage
$(eval $(Package/$(1)))
export FWSTAT_POSTINST=$$(call Package/$(1)/postinst)
export FWSTAT_PRERM=$$(call Package/$(1)/prerm)
.PHONY: fields prepare install scripts
fields:
	@echo 'name $(1)'
	@echo 'version $(PKG_VERSION)-r$(PKG_RELEASE)'
	@echo 'section $(SECTION)'
	@echo 'title $(TITLE)'
	@echo 'depends $(DEPENDS)'
	@echo 'user $(USERID)'
	@echo 'license $(PKG_LICENSE)'
	@echo 'conffiles $(strip $(Package/$(1)/conffiles))'
prepare: ; $(Build/Prepare)
install: ; $(call Package/$(1)/install,$(DEST))
scripts: ; @printf '%s\n' "$$$$FWSTAT_POSTINST" > $(DEST)/postinst; printf '%s\n' "$$$$FWSTAT_PRERM" > $(DEST)/prerm
endef
