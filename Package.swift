// swift-tools-version: 6.2
import PackageDescription

// One manifest, two products. Imports point one way: pure <- drivers <- rooms <- doors; ArchitectureTests checks it.

let houseRules: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("InferIsolatedConformances"),
    .treatAllWarnings(as: .error),
]
let pureRules = houseRules + [.strictMemorySafety()]

let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let nioHTTP2 = Target.Dependency.product(name: "NIOHTTP2", package: "swift-nio-http2")
let nioHPACK = Target.Dependency.product(name: "NIOHPACK", package: "swift-nio-http2")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let cryptoExtras = Target.Dependency.product(name: "CryptoExtras", package: "swift-crypto")
let jwtKit = Target.Dependency.product(name: "JWTKit", package: "jwt-kit")
let x509 = Target.Dependency.product(name: "X509", package: "swift-certificates")
let asn1 = Target.Dependency.product(name: "SwiftASN1", package: "swift-asn1")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let httpClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let serviceLifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let hummingbirdTLS = Target.Dependency.product(name: "HummingbirdTLS", package: "hummingbird")
let subprocess = Target.Dependency.product(name: "Subprocess", package: "swift-subprocess")
let system = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

func pure(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: pureRules)
}

func driver(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: houseRules)
}

func room(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: houseRules)
}

func door(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: houseRules)
}

func program(_ name: String, _ commands: Target.Dependency) -> Target {
    .executableTarget(
        name: name, dependencies: [commands, argumentParser], swiftSettings: houseRules,
        linkerSettings: [.unsafeFlags(["-static-stdlib"], .when(configuration: .release))])
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: houseRules)
}

let package = Package(
    name: "cloudflared",
    products: [
        .executable(name: "cloudflared", targets: ["cloudflared"]),
        .executable(name: "cloudflared-edge", targets: ["cloudflared-edge"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/apple/swift-nio-http2", from: "1.46.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.0"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
    ],
    targets: [
        // System libraries
        .systemLibrary(name: "CSystemd", pkgConfig: "libsystemd", providers: [.apt(["libsystemd-dev"])]),
        .systemLibrary(name: "CAres", pkgConfig: "libcares", providers: [.apt(["libc-ares-dev"])]),
        .systemLibrary(name: "CSodium", pkgConfig: "libsodium", providers: [.apt(["libsodium-dev"])]),

        // Pure: values in, values out
        pure("CapnProto", [nioCore]),
        pure("TunnelWire", ["CapnProto", nioCore]),
        pure("TunnelConfig", [yams]),
        pure("AccessPolicy", ["TunnelConfig", crypto, yams]),

        // Drivers: one outside thing each
        driver("ByteStream", ["TunnelConfig", crypto, nioCore, nioHTTP1, nioSSL]),
        driver(
            "EdgeTransport",
            ["ByteStream", "TunnelWire", nioCore, nioPosix, nioHTTP1, nioSSL, nioHTTP2, nioHPACK, logging]),
        driver("NameResolver", ["CAres", "ByteStream", nioCore, nioPosix, nioSSL]),
        driver("OriginTransport", ["ByteStream", "TunnelConfig", nioCore, nioPosix, nioHTTP1, nioSSL]),
        driver(
            "Access",
            [
                "AccessPolicy", "CSodium", "TunnelConfig", jwtKit, crypto, cryptoExtras, httpClient, nioCore, nioPosix,
                nioHTTP1, nioSSL, logging,
            ]),
        driver("ServiceHost", ["CSystemd", nioCore, nioPosix, logging, hummingbird, serviceLifecycle]),
        driver("ControlAPI", ["TunnelConfig", httpClient, nioCore, nioHTTP1, nioSSL, logging]),
        driver("EdgeStore", ["AccessPolicy", "TunnelConfig", grdb, crypto, x509, asn1, yams]),

        // Rooms: who keeps what alive
        room(
            "Connector",
            [
                "ByteStream", "TunnelWire", "TunnelConfig", "AccessPolicy", "EdgeTransport", "OriginTransport",
                "Access", "NameResolver",
                "ServiceHost", nioCore, nioPosix, nioHTTP1, nioSSL, logging,
            ]),
        room(
            "AccessClient",
            [
                "Access", "ByteStream", "TunnelConfig", "ServiceHost", httpClient, nioCore, nioPosix, nioHTTP1, nioSSL,
                logging,
            ]),
        room(
            "Edge",
            [
                "ByteStream", "TunnelWire", "TunnelConfig", "AccessPolicy", "EdgeTransport", "Access", "EdgeStore",
                "ServiceHost", crypto, nioCore, nioPosix, nioHTTP1, nioSSL, nioHTTP2, nioHPACK, logging,
            ]),
        room(
            "AccessServer",
            [
                "Access", "AccessPolicy", "EdgeStore", "TunnelConfig", jwtKit, crypto, cryptoExtras, x509, asn1,
                httpClient, nioCore, nioHTTP1, nioSSL, logging,
            ]),
        room("ControlServer", ["AccessPolicy", "ControlAPI", "TunnelConfig", "EdgeStore", hummingbird, logging]),

        // Doors: one command a file
        door(
            "CloudflaredCommands",
            [
                "ByteStream", "Connector", "AccessClient", "ControlAPI", "TunnelConfig", "TunnelWire", "AccessPolicy",
                "EdgeTransport",
                "OriginTransport", "Access", "ServiceHost", nioCore, nioPosix, nioSSL, logging, argumentParser,
                subprocess, system,
            ]),
        door(
            "EdgeCommands",
            [
                "Edge", "AccessServer", "ControlServer", "ControlAPI", "EdgeStore", "EdgeTransport", "AccessPolicy",
                "Access",
                "TunnelConfig",
                "ServiceHost", nioCore, nioPosix, nioSSL, logging, hummingbird, argumentParser,
            ]),
        program("cloudflared", "CloudflaredCommands"),
        program("cloudflared-edge", "EdgeCommands"),

        // Tests
        .target(name: "Fuzzing", path: "Tests/Fuzzing", swiftSettings: houseRules),
        .target(
            name: "TestKit",
            dependencies: [
                "Fuzzing", "Access", "AccessPolicy", "ByteStream", "EdgeTransport", "EdgeStore", "TunnelConfig", jwtKit,
                cryptoExtras, nioCore, nioPosix, nioHTTP1, nioSSL, nioEmbedded, logging,
            ],
            path: "Tests/TestKit", swiftSettings: houseRules),
        tests("CapnProtoTests", ["Fuzzing", "CapnProto", nioCore]),
        tests("TunnelWireTests", ["Fuzzing", "TunnelWire", "CapnProto", nioCore], exclude: ["fixtures"]),
        tests("TunnelConfigTests", ["Fuzzing", "TunnelConfig"]),
        tests("AccessPolicyTests", ["Fuzzing", "AccessPolicy", "TunnelConfig"]),
        tests("ByteStreamTests", ["Fuzzing", "ByteStream", "TestKit", nioCore, nioPosix, nioHTTP1, nioEmbedded]),
        tests(
            "EdgeTransportTests",
            [
                "Fuzzing", "EdgeTransport", "ByteStream", "TunnelWire", "EdgeStore", "TestKit", nioCore, nioPosix,
                nioHTTP1,
                nioSSL, nioHTTP2, nioEmbedded, logging,
            ]),
        tests(
            "OriginTransportTests",
            [
                "Fuzzing", "OriginTransport", "ByteStream", "TunnelConfig", "TestKit", nioCore, nioPosix, nioHTTP1,
                nioSSL,
                nioEmbedded, logging,
            ]),
        tests("NameResolverTests", ["Fuzzing", "NameResolver", "ByteStream", "TestKit", nioCore, nioPosix, nioSSL]),
        tests(
            "AccessTests",
            ["Access", "AccessPolicy", "TunnelConfig", "TestKit", jwtKit, crypto, nioCore, nioHTTP1, logging]),
        tests(
            "AccessServerTests",
            [
                "Fuzzing", "AccessServer", "Access", "AccessPolicy", "EdgeStore", "TunnelConfig", "TestKit",
                hummingbird,
                hummingbirdTLS, jwtKit, crypto, cryptoExtras, httpClient, nioCore, nioHTTP1, nioSSL, logging,
            ]),
        tests("ServiceHostTests", ["ServiceHost", "TestKit", nioCore, nioPosix, logging]),
        tests("ControlAPITests", ["ControlAPI", "TunnelConfig", hummingbird, nioCore, logging]),
        tests("EdgeStoreTests", ["EdgeStore", "AccessPolicy", "TunnelConfig", x509, asn1]),
        tests(
            "ConnectorTests",
            [
                "Fuzzing", "Connector", "TunnelConfig", "TunnelWire", "EdgeTransport", "OriginTransport",
                "AccessPolicy", "Access",
                "ByteStream", "NameResolver", "ServiceHost", "TestKit", nioCore, nioPosix, nioHTTP1, nioSSL,
                nioEmbedded, logging,
            ]),
        tests(
            "AccessClientTests",
            [
                "AccessClient", "Access", "ByteStream", "TunnelConfig", "ServiceHost", "TestKit", jwtKit, nioCore,
                nioPosix,
                nioHTTP1, nioSSL, nioEmbedded, logging,
            ]),
        tests(
            "EdgeTests",
            [
                "Fuzzing", "Edge", "EdgeStore", "EdgeTransport", "ByteStream", "TunnelWire", "TunnelConfig", "Access",
                "AccessPolicy", "TestKit", nioCore, nioPosix, nioHTTP1, nioSSL, nioHTTP2, nioEmbedded, logging,
            ]),
        tests(
            "ControlServerTests",
            [
                "ControlServer", "AccessPolicy", "ControlAPI", "EdgeStore", "TunnelConfig", hummingbird, hummingbirdTLS,
                nioCore,
                nioSSL,
                logging,
            ]),
        tests(
            "CloudflaredCommandsTests",
            [
                "Fuzzing", "CloudflaredCommands", "Connector", "TunnelConfig", "AccessClient", "ServiceHost", "TestKit",
                nioCore, nioHTTP1, hummingbird, argumentParser, logging,
            ]),
        tests("EdgeCommandsTests", ["EdgeCommands", "EdgeStore", "AccessPolicy", "TunnelConfig", argumentParser]),
        tests("ArchitectureTests", []),
        tests("SystemTests", ["TunnelConfig"], exclude: ["fixtures"]),
    ]
)

// The benchmark is built only when asked for: it is no part of the product and not of the tests.
if Context.environment["CLOUDFLARED_BENCHMARKS"] != nil {
    package.targets.append(
        .executableTarget(
            name: "Benchmarks", path: "Tests/Benchmarks", exclude: ["run"], swiftSettings: houseRules))
}
