import EdgeStore
import Foundation
import Testing
import TunnelConfig

@Suite struct DataDirectoryTests {
    @Test func `init makes everything an edge needs, readable by its owner only`() async throws {
        try await withTemporaryDirectory { path in
            var plan = DataDirectory.Plan(zone: "Site.Test.")
            plan.team = "acme"
            let directory = try await DataDirectory.initialize(at: "\(path)/d", plan: plan)
            #expect(directory.settings.zone == "site.test")
            #expect(mode("\(path)/d") == 0o700)
            let secrets: [DataDirectory.File] = [
                .authorityKey, .tunnelKey, .visitorKey, .accountCertificate, .database, .settings,
            ]
            for file in secrets { #expect(mode(directory.path(of: file)) == 0o600, "\(file)") }
            #expect(
                directory.tunnelCertificate.names == ["h2.cftunnel.com", "quic.cftunnel.com", "probe.cftunnel.com"])
            #expect(
                directory.visitorCertificate.names == [
                    "site.test", "*.site.test", "api.site.test", "acme.site.test", "localhost",
                ])
            let store = try await directory.openStore()
            let account = try await store.account()
            try store.close()
            let pem = try String(contentsOfFile: directory.path(of: .accountCertificate), encoding: .utf8)
            let certificate = try OriginCertificate.parse(pem: pem, path: "cert.pem")
            #expect(certificate.accountID == account.id && account.id.count == 32)
            #expect(certificate.zoneID == account.zoneID && account.zoneID.count == 32)
            #expect(account.accepts(token: certificate.apiToken.text.utf8))
            #expect(!account.accepts(token: "token".utf8))
            _ = try directory.authority()
        }
    }

    @Test func `the zone localhost works, with names for clients that want no wildcard there`() async throws {
        try await withTemporaryDirectory { path in
            let directory = try await DataDirectory.initialize(at: "\(path)/d", plan: .init(zone: "localhost"))
            for name in ["localhost", "*.localhost", "api.localhost", "rdp.localhost"] {
                #expect(directory.visitorCertificate.names.contains(name))
            }
        }
    }

    @Test func `init on a used directory changes nothing`() async throws {
        try await withTemporaryDirectory { path in
            let plan = DataDirectory.Plan(zone: "site.test")
            _ = try await DataDirectory.initialize(at: "\(path)/d", plan: plan)
            let before = try contents("\(path)/d")
            #expect(
                await storeErrorCode { _ = try await DataDirectory.initialize(at: "\(path)/d", plan: plan) }
                    == .directoryUsed)
            #expect(try contents("\(path)/d") == before)
            // Anything else in it counts as well.
            try FileManager.default.createDirectory(atPath: "\(path)/e", withIntermediateDirectories: false)
            try "mine".write(toFile: "\(path)/e/notes", atomically: true, encoding: .utf8)
            #expect(
                await storeErrorCode { _ = try await DataDirectory.initialize(at: "\(path)/e", plan: plan) }
                    == .directoryUsed)
            #expect(try contents("\(path)/e") == ["notes": Data("mine".utf8)])
        }
    }

    @Test func `an init that fails takes away what it made`() async throws {
        try await withTemporaryDirectory { path in
            var plan = DataDirectory.Plan(zone: "site.test")
            // Longer than a name in a certificate may be in an IA5String is fine; one that is no ASCII is not.
            plan.visitorNames = ["bücher.site.test"]
            let error = await #expect(throws: (any Error).self) {
                _ = try await DataDirectory.initialize(at: "\(path)/d", plan: plan)
            }
            #expect(error != nil)
            #expect(!FileManager.default.fileExists(atPath: "\(path)/d"))
            try FileManager.default.createDirectory(
                atPath: "\(path)/e", withIntermediateDirectories: false, attributes: [.posixPermissions: 0o755])
            _ = try? await DataDirectory.initialize(at: "\(path)/e", plan: plan)
            #expect(try contents("\(path)/e").isEmpty)
            #expect(mode("\(path)/e") == 0o755)
        }
    }

    @Test(arguments: ["", "a b", "*.site.test", "-x.test", "x_.te/st"])
    func `what is no domain cannot be a zone`(_ zone: String) async throws {
        try await withTemporaryDirectory { path in
            #expect(
                await storeErrorCode {
                    _ = try await DataDirectory.initialize(at: "\(path)/d", plan: .init(zone: zone))
                } == .invalid)
            #expect(!FileManager.default.fileExists(atPath: "\(path)/d"))
        }
    }

    @Test func `the user's own certificates are named in edge.yml and stay where they are`() async throws {
        try await withTemporaryDirectory { path in
            let now = Date()
            let authority = try CertificateAuthority(name: "own", notBefore: now, notAfter: now.addingTimeInterval(9e6))
            let leaf = try authority.issue(names: ["h2.cftunnel.com"], notAfter: now.addingTimeInterval(8e6))
            try leaf.certificatePEM.write(toFile: "\(path)/own.pem", atomically: true, encoding: .utf8)
            try leaf.keyPEM.write(toFile: "\(path)/own-key.pem", atomically: true, encoding: .utf8)
            var plan = DataDirectory.Plan(zone: "site.test")
            plan.tunnelFiles = .init(certificate: "\(path)/own.pem", key: "\(path)/own-key.pem")
            let directory = try await DataDirectory.initialize(at: "\(path)/d", plan: plan)
            #expect(directory.tunnelCertificate.certificatePath == "\(path)/own.pem")
            #expect(!FileManager.default.fileExists(atPath: directory.path(of: .tunnelKey)))
            // When it has expired, the edge says so instead of starting.
            let late = now.addingTimeInterval(8.5e6)
            let error = #expect(throws: StoreError.self) { _ = try DataDirectory.open(at: "\(path)/d", now: late) }
            #expect(error?.code == .configuration)
            #expect(error?.message.contains("own.pem: it expired") == true)
        }
    }

    @Test func `edge.yml is read strictly, with lines and hints`() {
        func failure(_ text: String) -> String {
            do {
                _ = try EdgeSettings.parse(text, path: "edge.yml")
                return "none"
            } catch {
                return "\(error)"
            }
        }
        let good = "zone: a\nteam: b\ntunnel-cert: c\ntunnel-key: d\nvisitor-cert: e\nvisitor-key: f\n"
        #expect(failure(good) == "none")
        #expect(
            failure(good + "tunel-listen: x\n")
                == "edge.yml, line 7: unknown key \"tunel-listen\"; did you mean \"tunnel-listen\"?")
        #expect(failure(good + "zzz: x\n").contains("known keys are zone, team"))
        #expect(failure(good + "zone: x\n").contains("twice"))
        #expect(failure(good + "https-listen: [1]\n") == "edge.yml, line 7: \"https-listen\" needs a single value")
        #expect(failure("zone: a\nteam: b\n") == "edge.yml: the key \"tunnel-cert\" is missing")
        #expect(failure("zone: 'a\n").contains("not valid YAML"))
        #expect(failure("").contains("expected keys and values"))
    }

    @Test func `opening says what is wrong with the directory`() async throws {
        try await withTemporaryDirectory { path in
            let absent = #expect(throws: StoreError.self) { _ = try DataDirectory.open(at: "\(path)/d") }
            #expect(absent?.message.contains("cloudflared-edge init") == true)
            let directory = try await DataDirectory.initialize(at: "\(path)/d", plan: .init(zone: "site.test"))
            let settings = directory.path(of: .settings)
            let text = try String(contentsOfFile: settings, encoding: .utf8)
            try text.replacingOccurrences(of: "\"site.test\"", with: "\"other.test\"")
                .write(toFile: settings, atomically: true, encoding: .utf8)
            let moved = try DataDirectory.open(at: "\(path)/d")
            let error = await #expect(throws: StoreError.self) { _ = try await moved.openStore() }
            #expect(error?.code == .configuration)
            #expect(error?.message.contains("made for site.test") == true)
        }
    }

    private func mode(_ path: String) -> Int? {
        try? FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }

    private func contents(_ path: String) throws -> [String: Data] {
        var files: [String: Data] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: path) {
            files[name] = FileManager.default.contents(atPath: "\(path)/\(name)")
        }
        return files
    }
}
