# What `make install` puts beside programs and library, and the packages made of it. Included by Makefile.
#
#   SYSCONFDIR, UNITDIR, ZSHDIR, DOCDIR, ...   where the rest of the installation goes
#
# Units, tmpfiles and the rest are in packaging/common, once, for every kind of package.

SHAREDIR ?= $(PREFIX)/share
# Where the daemon looks by itself; a PREFIX of one's own has its own.
SYSCONFDIR ?= $(if $(filter /usr /usr/local,$(PREFIX)),/etc,$(PREFIX)/etc)
LOGDIR ?= $(if $(filter /usr /usr/local,$(PREFIX)),,$(PREFIX))/var/log/h2sess
UNITDIR ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
MANDIR ?= $(SHAREDIR)/man
BASHDIR ?= $(SHAREDIR)/bash-completion/completions
ZSHDIR ?= $(SHAREDIR)/zsh/site-functions
DOCDIR ?= $(SHAREDIR)/doc/h2sess

COMMON = packaging/common
PROGRAMS = h2sess-worker h2sess-controld
UNITS = $(notdir $(wildcard $(COMMON)/systemd/*))
SYSUSERS = $(notdir $(wildcard $(COMMON)/sysusers/*))
TMPFILES = $(notdir $(wildcard $(COMMON)/tmpfiles/*))
MAN_SECTIONS = $(sort $(subst .,,$(suffix $(wildcard $(COMMON)/man/*.[1-9]))))

# Files that name directories of the installation, with those of this one.
CONFIGURED = $(UNITS:%=$(BUILD)/install/systemd/%) $(TMPFILES:%=$(BUILD)/install/tmpfiles/%) \
	$(BUILD)/install/config/controld.conf $(BUILD)/install/config/worker.conf $(BUILD)/install/config/logrotate
$(CONFIGURED): $(BUILD)/install/%: $(COMMON)/% FORCE
	@mkdir -p $(@D)
	sed -e 's|/usr/bin/|$(BINDIR)/|' -e 's|/etc/h2sess|$(SYSCONFDIR)/h2sess|' \
		-e 's|/var/log/h2sess|$(LOGDIR)|' $< > $@

put = $(INSTALL) -m 0644
# What an administrator may have changed stays.
put_once = test -e $(2) || $(INSTALL) -m 0644 $(1) $(2)

install: install-rest
.PHONY: install-rest
install-rest: $(CONFIGURED) install-programs
	$(INSTALL) -d $(DESTDIR)$(UNITDIR) $(DESTDIR)$(SYSUSERSDIR) $(DESTDIR)$(TMPFILESDIR) \
		$(MAN_SECTIONS:%=$(DESTDIR)$(MANDIR)/man%) $(DESTDIR)$(BASHDIR) $(DESTDIR)$(ZSHDIR) \
		$(DESTDIR)$(DOCDIR)/examples $(DESTDIR)$(SYSCONFDIR)/h2sess/worker \
		$(DESTDIR)$(SYSCONFDIR)/h2sess/tls $(DESTDIR)$(SYSCONFDIR)/needrestart/conf.d \
		$(DESTDIR)$(SYSCONFDIR)/logrotate.d $(DESTDIR)$(LOGDIR)
	$(put) $(UNITS:%=$(BUILD)/install/systemd/%) $(DESTDIR)$(UNITDIR)
	$(put) $(SYSUSERS:%=$(COMMON)/sysusers/%) $(DESTDIR)$(SYSUSERSDIR)
	$(put) $(TMPFILES:%=$(BUILD)/install/tmpfiles/%) $(DESTDIR)$(TMPFILESDIR)
	$(foreach s,$(MAN_SECTIONS),$(put) $(COMMON)/man/*.$(s) $(DESTDIR)$(MANDIR)/man$(s) &&) true
	$(foreach p,$(PROGRAMS),$(put) $(COMMON)/completions/h2sess.bash $(DESTDIR)$(BASHDIR)/$(p) &&) true
	$(foreach p,$(PROGRAMS),$(put) $(COMMON)/completions/_h2sess $(DESTDIR)$(ZSHDIR)/_$(p) && \
		sed -i '1s/.*/#compdef $(p)/' $(DESTDIR)$(ZSHDIR)/_$(p) &&) true
	$(put) README.md CHANGELOG.md api/rpc.md api/openapi.yaml $(DESTDIR)$(DOCDIR)
	$(put) $(COMMON)/config/low-ports.conf $(COMMON)/config/tcp.conf $(COMMON)/alerts.yml \
		$(wildcard libh2sess/examples/*.c) $(DESTDIR)$(DOCDIR)/examples
	$(call put_once,$(BUILD)/install/config/controld.conf,$(DESTDIR)$(SYSCONFDIR)/h2sess/controld.conf)
	$(call put_once,$(BUILD)/install/config/worker.conf,$(DESTDIR)$(SYSCONFDIR)/h2sess/worker/default.conf)
	$(call put_once,$(COMMON)/config/needrestart.conf,$(DESTDIR)$(SYSCONFDIR)/needrestart/conf.d/h2sess.conf)
	$(call put_once,$(BUILD)/install/config/logrotate,$(DESTDIR)$(SYSCONFDIR)/logrotate.d/h2sess)

# ---- Debian --------------------------------------------------------------------------------------
#
# A source tree is laid out in BUILD/deb, from the files that belong to the source, with packaging/debian as
# its debian/; its times are those of the changelog, so the same source makes the same packages.

# In a git tree what git has; from a tarball, what is there.
SOURCES = { test -e .git && git ls-files; } || find . -type f ! -path './$(BUILD)/*' -printf '%P\n'
DEB_DIR = $(BUILD)/deb
DEB_TREE = $(DEB_DIR)/h2sess-$(VERSION)
CHANGELOG_TIME = $(shell date -u -d "$$(sed -n 's/^ -- .*>  //p' packaging/debian/changelog | head -1)" +%s)
TAR = tar --sort=name --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --mtime=@$(CHANGELOG_TIME)

$(BUILD)/h2sess-$(VERSION).tar.gz: FORCE
	@mkdir -p $(@D)
	{ $(SOURCES); } | LC_ALL=C $(TAR) -T - --transform 's|^|h2sess-$(VERSION)/|' -cf - | gzip -9n > $@

deb: package-dependencies $(BUILD)/h2sess-$(VERSION).tar.gz ## make Debian packages, binary and source, in BUILD/deb
	rm -rf $(DEB_DIR)
	mkdir -p $(DEB_DIR)
	cp $(BUILD)/h2sess-$(VERSION).tar.gz $(DEB_DIR)/h2sess_$(VERSION).orig.tar.gz
	tar -xzf $(DEB_DIR)/h2sess_$(VERSION).orig.tar.gz -C $(DEB_DIR)
	cp -a $(DEB_TREE)/packaging/debian $(DEB_TREE)/debian
	cd $(DEB_TREE) && env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS -u BUILD -u CC -u CFLAGS \
		DEB_BUILD_OPTIONS="nocheck parallel=$(JOBS) $(DEB_BUILD_OPTIONS)" \
		dpkg-buildpackage -us -uc $(DEB_BUILDPACKAGE_FLAGS)
	rm -rf $(DEB_TREE)
	@ls -l $(DEB_DIR)

# lintian, and a second build elsewhere that must give the same octets.
deb-check: deb ## judge the Debian packages: lintian, and whether a second build makes the same
	cd $(DEB_DIR) && lintian --pedantic --fail-on error,warning,pedantic *.changes
	$(MAKE) deb DEPENDENCIES=skip JOBS=1 DEB_DIR=$(BUILD)/deb-again
	cd $(DEB_DIR) && for f in *.deb *.dsc *.tar.*; do cmp $$f $(abspath $(BUILD)/deb-again)/$$f || exit 1; done
	@echo "deb-check: lintian has nothing to say, and a second build is the same"

# ---- rpm -----------------------------------------------------------------------------------------

RPM_DIR = $(BUILD)/rpm
RPMBUILD = SOURCE_DATE_EPOCH=$(CHANGELOG_TIME) rpmbuild --define '_topdir $(abspath $(RPM_DIR))' \
	--define 'clamp_mtime_to_source_date_epoch 1' --define 'use_source_date_epoch_as_buildtime 1' \
	--define '_buildhost localhost'

rpm: package-dependencies $(BUILD)/h2sess-$(VERSION).tar.gz ## make rpm packages, binary and source, in BUILD/rpm
	rm -rf $(RPM_DIR)
	mkdir -p $(RPM_DIR)/SOURCES
	cp $(BUILD)/h2sess-$(VERSION).tar.gz $(RPM_DIR)/SOURCES
	env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS -u BUILD -u CC -u CFLAGS $(RPMBUILD) -ba packaging/rpm/h2sess.spec
	rm -rf $(RPM_DIR)/BUILD $(RPM_DIR)/BUILDROOT
	@ls -l $(RPM_DIR)/RPMS/* $(RPM_DIR)/SRPMS

# A source package holds the names of the directories of its build, so the second one is made in the same place.
rpm-check: rpm ## judge the rpm packages: rpmlint, and whether a second build makes the same
	rpmlint -c packaging/rpm/rpmlint.toml packaging/rpm/h2sess.spec $(RPM_DIR)/RPMS/*/*.rpm $(RPM_DIR)/SRPMS/*.rpm
	rm -rf $(RPM_DIR)-first && mv $(RPM_DIR) $(RPM_DIR)-first
	$(MAKE) rpm DEPENDENCIES=skip
	cd $(RPM_DIR) && for f in */*.rpm */*/*.rpm; do cmp $$f $(abspath $(RPM_DIR)-first)/$$f || exit 1; done
	@echo "rpm-check: rpmlint has nothing to say, and a second build is the same"

# ---- both, installed -----------------------------------------------------------------------------

package-check: deb rpm all ## install the packages into bare root directories and run them there; needs root
	tests/run H2SESS_BUILD=$(BUILD) TEST_TIMEOUT=1800 $(wildcard tests/package/root/debian.mjs tests/package/root/rpm.mjs)

package-dependencies:
ifneq ($(DEPENDENCIES),skip)
	@$(COMMON)/install-dependencies build package
endif
.PHONY: package-dependencies

# The symbols that the library exports now; those that were listed keep the version that they came with.
SYMBOLS = packaging/debian/libh2sess0.symbols
symbols: $(LIB) ## write the Debian symbols file anew
	{ echo 'libh2sess.so.0 libh2sess0 #MINVER#'; echo '* Build-Depends-Package: libh2sess-dev'; \
	echo ' H2SESS_0@H2SESS_0 0.1.0'; \
	nm -D --defined-only $(LIB) | sed -n 's/.* T \(h2sess_[a-z0-9_]*\).*/\1/p' | LC_ALL=C sort | while read -r name; do \
		grep "^ $$name@" $(SYMBOLS) 2>/dev/null || echo " $$name@H2SESS_0 $(VERSION)"; \
	done; } > $(BUILD)/libh2sess0.symbols
	cp $(BUILD)/libh2sess0.symbols $(SYMBOLS)
.PHONY: deb deb-check rpm rpm-check package-check symbols
