# vcam for Nix, on nixpkgs' own packages of Python's:
#
#     nix run 'git+https://ADDRESS/vcam?dir=vcam/packaging/nix'
#
# Tried: nix-instantiate --parse, and that the packages named here are those of pyproject.toml. NOT tried: an
# evaluation, a build, or NixOS: there is no nixpkgs where vcam is made. There is no flake.lock, so the first use takes
# nixpkgs as it is that day.
{
  description = "vcam, a virtual camera that replaces or blurs what is behind you";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs = { self, nixpkgs }:
    let
      systems = [ "x86_64-linux" "aarch64-linux" ];
      forAll = nixpkgs.lib.genAttrs systems;
      vcamFor = pkgs: pkgs.python3Packages.buildPythonApplication {
        pname = "vcam";
        version = "0.1.0";
        pyproject = true;
        src = ../../..;
        build-system = [ pkgs.python3Packages.hatchling ];
        # the distribution that these modules are named after is opencv-python-headless
        pythonRemoveDeps = [ "opencv-python-headless" ];
        dependencies = with pkgs.python3Packages; [
          click
          jeepney
          msgspec
          numpy
          onnxruntime
          opencv4
          pillow
          rich
          simplejpeg
          starlette
          tomlkit
          uvicorn
          websockets
        ];
        optional-dependencies = {
          openvino = [ pkgs.python3Packages.openvino ];
          window = [ pkgs.python3Packages.pygame-ce ];
        };
        # the system's ffmpeg and libturbojpeg, which are looked for by their names
        makeWrapperArgs = [
          "--prefix PATH : ${pkgs.lib.makeBinPath [ pkgs.ffmpeg ]}"
          "--prefix LD_LIBRARY_PATH : ${pkgs.lib.makeLibraryPath [ pkgs.libjpeg_turbo pkgs.pipewire ]}"
        ];
        # completion, manual, menu, unit and udev files, made from the program itself
        postInstall = ''
          PYTHONPATH=.:$PYTHONPATH python -m vcam.packaging.systemfiles files $out/bin/vcam
          mkdir -p $out/lib $out/share/zsh/site-functions
          cp -r files/usr/share/* $out/share/
          cp -r files/usr/lib/* $out/lib/
          mv $out/share/zsh/vendor-completions/_vcam $out/share/zsh/site-functions/_vcam
          rmdir $out/share/zsh/vendor-completions
        '';
        # they need a camera's worth of programs; `make test` runs them
        doCheck = false;
        pythonImportsCheck = [ "vcam" ];
        meta = {
          description = "Virtual camera that replaces or blurs what is behind you";
          license = pkgs.lib.licenses.mit;
          mainProgram = "vcam";
          platforms = systems;
        };
      };
    in
    {
      packages = forAll (system: { default = vcamFor nixpkgs.legacyPackages.${system}; });

      # the program, its unit for every user, and the kernel module with what browsers need
      nixosModules.default = { pkgs, config, ... }: {
        environment.systemPackages = [ (vcamFor pkgs) ];
        systemd.packages = [ (vcamFor pkgs) ];
        services.udev.packages = [ (vcamFor pkgs) ];
        boot.extraModulePackages = [ config.boot.kernelPackages.v4l2loopback ];
        boot.kernelModules = [ "v4l2loopback" ];
        boot.extraModprobeConfig = builtins.readFile "${vcamFor pkgs}/share/doc/vcam/examples/modprobe.conf";
      };
    };
}
